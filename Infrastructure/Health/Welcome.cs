using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace ChatBackend.Infrastructure.Health;

/// <summary>Tells a developer what to try next, once the service can answer; only in development.</summary>
internal static class Welcome
{
    public static void UseWelcome(this WebApplication app)
    {
        if (app.Environment.IsDevelopment())
            app.Lifetime.ApplicationStarted.Register(() => _ = PrintAsync(app));
    }

    private static async Task PrintAsync(WebApplication app)
    {
        // The question below needs the database and the sample book.
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
