using System.Net.Sockets;
using ChatBackend.Infrastructure.Health;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Health;

public sealed class HealthCommandTests
{
    [Theory]
    [InlineData(200, 0)]
    [InlineData(404, 1)]
    [InlineData(503, 1)]
    public async Task The_exit_code_says_what_health_answers(int status, int code)
    {
        await using var service = await StartAsync(context =>
        {
            context.Response.StatusCode = context.Request.Path == "/health" ? status : 500;
            return Task.CompletedTask;
        });

        Assert.Equal(code, await HealthAsync(new Uri(service.Urls.First()).Port));
    }

    [Fact]
    public async Task A_service_that_does_not_answer_in_3_seconds_is_not_healthy()
    {
        await using var service = await StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        var watch = System.Diagnostics.Stopwatch.StartNew();

        Assert.Equal(1, await HealthAsync(new Uri(service.Urls.First()).Port));

        Assert.InRange(watch.Elapsed.TotalSeconds, 2.9, 20);
    }

    [Fact]
    public async Task If_nothing_listens_it_is_not_healthy()
    {
        using var free = new TcpListener(System.Net.IPAddress.Loopback, 0);
        free.Start();
        var port = ((System.Net.IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();

        Assert.Equal(1, await HealthAsync(port));
    }

    [Fact]
    public async Task The_command_is_the_programs_own()
    {
        await using var service = await StartAsync(_ => Task.CompletedTask);
        await using var command = ServiceProcess.Start(new() { ["PORT"] = new Uri(service.Urls.First()).Port.ToString() }, "health");

        Assert.Equal(0, await command.WaitForExitAsync());
    }

    private static Task<int> HealthAsync(int port) =>
        HealthCommand.RunAsync(new ConfigurationBuilder().AddInMemoryCollection([new("PORT", port.ToString())]).Build());

    private static async Task<WebApplication> StartAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app;
    }
}
