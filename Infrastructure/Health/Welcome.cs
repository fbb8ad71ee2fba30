using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace ChatBackend.Infrastructure.Health;

/// <summary>The last thing that a developer sees at start: what to try next.</summary>
internal static class Welcome
{
    /// <summary>Prints it once the service can answer; only in development, where a person reads along.</summary>
    public static void UseWelcome(this WebApplication app)
    {
        if (app.Environment.IsDevelopment())
            app.Lifetime.ApplicationStarted.Register(() => _ = PrintAsync(app));
    }

    private static async Task PrintAsync(WebApplication app)
    {
        // The database and the sample book: the question below is answered from them.
        var started = Task.WhenAll(app.Services.GetServices<Dependency>().Select(d => d.Started));
        await started.WaitAsync(app.Lifetime.ApplicationStopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!started.IsCompletedSuccessfully)
            return;

        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
        var port = address is null ? 8000 : BindingAddress.Parse(address).Port;
        Console.WriteLine(
            $$"""

            ChatBackend is ready on http://localhost:{{port}}. Open it in a browser, or ask the book from a shell:

              curl -s localhost:{{port}}/chat -H 'content-type: application/json' -d '{"message":"How do two ROS 2 nodes talk to each other?"}'

            Every endpoint: http://localhost:{{port}}/docs   Stop: Ctrl-C
            """);
    }
}
