using System.Text;

namespace ChatBackend.Tests.Infrastructure.Http.Problems;

public sealed class ProblemWriterTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Theory]
    [InlineData("GET", "/nowhere", null, 404, "not_found")]
    [InlineData("PATCH", "/health", null, 405, "method_not_allowed")]
    [InlineData("POST", "/chat", "no JSON", 400, "malformed_json")]
    [InlineData("POST", "/chat", "{}", 400, "invalid_request")]
    [InlineData("GET", "/chat/turns/x/events", null, 404, "turn_not_found")]
    public async Task A_problem_is_whole_whatever_the_client_accepts(string method, string path, string? body, int status, string code)
    {
        foreach (var accept in (string[])["application/json", "text/event-stream", "text/html", "application/problem+xml;q=0.1", "application/json;q=0"])
        {
            using var request = new HttpRequestMessage(new(method), path);
            request.Headers.TryAddWithoutValidation("Accept", accept);
            request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");

            var problem = await (await app.Client.SendAsync(request)).ProblemAsync(status, code);

            Assert.Equal(path, problem.GetProperty("instance").GetString());
            Assert.Equal($"urn:chatbackend:problem:{code}", problem.GetProperty("type").GetString());
            Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        }
    }
}
