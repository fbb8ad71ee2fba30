using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace ChatBackend.Infrastructure.Http;

/// <summary>The last thing that a developer sees at start: what to try next.</summary>
internal static class Welcome
{
    /// <summary>Prints it once the service listens; only in development, where a person reads along.</summary>
    public static void UseWelcome(this WebApplication app)
    {
        if (!app.Environment.IsDevelopment())
            return;

        app.Lifetime.ApplicationStarted.Register(() =>
        {
            var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
            var port = address is null ? 8000 : BindingAddress.Parse(address).Port;
            Console.WriteLine(
                $$"""

                ChatBackend is ready on http://localhost:{{port}}. Ask the book something:

                  curl -s localhost:{{port}}/chat -H 'content-type: application/json' -d '{"message":"How do two ROS 2 nodes talk to each other?"}'

                Every endpoint: http://localhost:{{port}}/docs   Stop: Ctrl-C
                """);
        });
    }
}
