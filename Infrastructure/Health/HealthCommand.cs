using ChatBackend.Infrastructure.Configuration;

namespace ChatBackend.Infrastructure.Health;

/// <summary><c>ChatBackend health</c>: asks the service in the same container whether it is alive, as the image has no curl.</summary>
internal static class HealthCommand
{
    /// <returns>The exit code: 0 when <c>/health</c> answers 200 within three seconds.</returns>
    public static async Task<int> RunAsync(IConfiguration configuration)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(3) };
        try
        {
            var response = await client.GetAsync($"http://localhost:{configuration["PORT"] ?? SettingsTable.DefaultPort}/health");
            return response.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync($"The service does not answer: {e.Message}");
            return 1;
        }
    }
}
