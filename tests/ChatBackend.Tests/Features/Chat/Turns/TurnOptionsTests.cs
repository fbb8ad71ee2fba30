using ChatBackend.Features.Chat.Turns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Features.Chat.Turns;

public sealed class TurnOptionsTests
{
    [Fact]
    public async Task An_environment_variable_named_Lease_does_not_change_the_options()
    {
        await using var app = new ChatApp { ["Lease"] = "of my flat", ["Beat"] = "00:00:07" };
        await app.InitializeAsync();

        var options = app.Services.GetRequiredService<IOptions<TurnOptions>>().Value;

        Assert.Equal((new TurnOptions().Lease, new TurnOptions().Beat), (options.Lease, options.Beat));
    }
}
