using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Auth;

namespace ChatBackend.Tests.Features.Profile;

/// <summary>The service behind a sign-in that shares a secret with it, with the offline model unless a test sets another.</summary>
public class ProfileApp : ChatBackendApp
{
    /// <summary>For <c>AUTH_SECRET</c>.</summary>
    public const string Secret = "a secret of the site, longer than 32 bytes";

    private static readonly SigningKey Key = SigningKey.Secret(Secret);

    public ProfileApp() => this["AUTH_SECRET"] = Secret;

    /// <summary>A subject that no other test has.</summary>
    public static string NewReader() => $"reader-{Guid.NewGuid():N}";

    /// <summary>A reader's token.</summary>
    public static string Token(string subject, TimeSpan? expires = null) => Key.Token(JsonSerializer.Serialize(new
    {
        sub = subject,
        iat = DateTimeOffset.UtcNow.AddMinutes(-5).ToUnixTimeSeconds(),
        exp = (DateTimeOffset.UtcNow + (expires ?? TimeSpan.FromMinutes(15))).ToUnixTimeSeconds(),
    }));

    /// <summary>A reader's request, with JSON by the letter.</summary>
    public static HttpRequestMessage Request(
        string? reader, HttpMethod method, string path, string? json = null, string? ifMatch = null, string mediaType = "application/json")
    {
        var request = new HttpRequestMessage(method, path);
        if (reader is not null)
            request.Headers.Authorization = new("Bearer", Token(reader));
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, new MediaTypeHeaderValue(mediaType));
        if (ifMatch is not null)
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return request;
    }

    /// <summary>Sends a reader's request.</summary>
    public Task<HttpResponseMessage> SendAsync(
        string? reader, HttpMethod method, string path, string? json = null, string? ifMatch = null, string mediaType = "application/json") =>
        Client.SendAsync(Request(reader, method, path, json, ifMatch, mediaType));

    /// <summary>The reader's profile as it is stored.</summary>
    public async Task<JsonElement> ProfileAsync(string reader) => await (await SendAsync(reader, HttpMethod.Get, "/profile")).JsonAsync();

    /// <summary>Asks a question as a reader and returns the 200's body.</summary>
    public async Task<JsonElement> AskAsync(string? reader, object body)
    {
        var response = await SendAsync(reader, HttpMethod.Post, "/chat", JsonSerializer.Serialize(body));
        var json = await response.JsonAsync();
        Assert.True(response.IsSuccessStatusCode, json.ToString());
        return json;
    }
}
