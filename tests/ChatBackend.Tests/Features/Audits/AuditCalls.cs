using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace ChatBackend.Tests.Features.Audits;

/// <summary>Requests as the audit tests send them: JSON by the letter.</summary>
internal static class AuditCalls
{
    /// <summary>Sends a body, with If-Match where it is given.</summary>
    public static Task<HttpResponseMessage> SendAsync(
        this HttpClient client, HttpMethod method, string path, string? json = null, string? ifMatch = null, string mediaType = "application/json")
    {
        var request = new HttpRequestMessage(method, path);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, new MediaTypeHeaderValue(mediaType));
        if (ifMatch is not null)
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return client.SendAsync(request);
    }

    /// <summary>Creates an audit and returns its address and record.</summary>
    public static async Task<(string Path, JsonElement Audit)> CreateAuditAsync(this HttpClient client, string json)
    {
        var response = await client.SendAsync(HttpMethod.Post, "/audits", json);
        var audit = await response.JsonAsync();
        Assert.True(response.IsSuccessStatusCode, audit.GetRawText());
        return ($"/audits/{audit.GetProperty("id").GetString()}", audit);
    }

    /// <summary>The record as it is now.</summary>
    public static async Task<JsonElement> GetJsonAsync(this HttpClient client, string path) => await (await client.GetAsync(path)).JsonAsync();

    /// <summary>Fails unless the answer is a 400 whose only faulty field is this one.</summary>
    public static async Task InvalidAsync(this HttpResponseMessage response, string field)
    {
        var problem = await response.ProblemAsync(400, "invalid_request");
        Assert.Equal([field], problem.GetProperty("errors").EnumerateObject().Select(e => e.Name));
    }
}
