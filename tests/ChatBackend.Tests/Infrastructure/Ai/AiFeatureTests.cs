using ChatBackend.Infrastructure.Ai;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Infrastructure.Ai;

public sealed class AiFeatureTests
{
    [Theory]
    [InlineData("Development", null, null, null, true)]
    [InlineData("Development", null, "sk-key", null, false)]
    [InlineData("Development", null, null, "http://127.0.0.1:11434/v1", false)]
    [InlineData("Development", "offline", "sk-key", null, true)]
    [InlineData("Production", "offline", null, null, true)]
    [InlineData("Production", null, "sk-key", null, false)]
    [InlineData("Production", "openai", "sk-key", null, false)]
    public void Settings_choose_the_model(string environment, string? provider, string? key, string? baseUrl, bool isOffline)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = environment });
        builder.Configuration["AI_PROVIDER"] = provider;
        builder.Configuration["OPENAI_API_KEY"] = key;
        builder.Configuration["OPENAI_BASE_URL"] = baseUrl;
        builder.Configuration["OPENAI_CHAT_MODEL"] = "chosen";
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddAi();
        using var services = builder.Services.BuildServiceProvider(validateScopes: true);

        var model = services.GetService<IChatModel>();

        Assert.Equal(isOffline ? null : "chosen", model?.Name);
        Assert.Equal(isOffline, services.GetService<IEmbedder>() is null);
    }
}
