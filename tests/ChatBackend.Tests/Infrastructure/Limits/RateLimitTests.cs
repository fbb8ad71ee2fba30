using System.Net;
using System.Net.Http.Headers;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Tests.Features.Chat;
using Microsoft.AspNetCore.Http;

namespace ChatBackend.Tests.Infrastructure.Limits;

public sealed class RateLimitTests
{
    [Fact]
    public void The_headers_count_down_and_say_when_there_is_more()
    {
        var clock = new FakeClock();
        var limit = new RateLimit("chat", 3, clock);

        Assert.Equal((true, "\"chat\";r=2;t=60"), Take(limit));
        clock.Advance(TimeSpan.FromSeconds(35.5));
        Assert.Equal((true, "\"chat\";r=1;t=25"), Take(limit));
        Assert.Equal((true, "\"chat\";r=0;t=25"), Take(limit));
        Assert.Equal((false, "\"chat\";r=0;t=25"), Take(limit));
        clock.Advance(TimeSpan.FromSeconds(24));
        Assert.Equal((false, "\"chat\";r=0;t=1"), Take(limit));

        // One request leaves the window, the two others 30 seconds later.
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((true, "\"chat\";r=0;t=30"), Take(limit));
        Assert.False(Take(limit).IsTaken);
        clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal((true, "\"chat\";r=1;t=30"), Take(limit));
        clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal((true, "\"chat\";r=2;t=60"), Take(limit));
    }

    [Fact]
    public void After_the_seconds_of_Retry_After_a_request_is_served()
    {
        var clock = new FakeClock();
        var limit = new RateLimit("chat", 30, clock);
        for (var i = 0; i < 300; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(0.7));
            var (isTaken, state) = Take(limit);
            if (isTaken)
                continue;
            clock.Advance(TimeSpan.FromSeconds(int.Parse(state.Split("t=")[1])));
            Assert.True(Take(limit).IsTaken, $"request {i}: {state}");
        }
    }

    [Theory]
    [InlineData("/chat", "chat")]
    [InlineData("/search?q=topic", "search")]
    public async Task A_response_says_what_is_left_and_so_does_the_refusal(string path, string policy)
    {
        await using var app = new ChatBackendApp { ["RATE_LIMIT_CHAT"] = "2", ["RATE_LIMIT_SEARCH"] = "2" };
        await app.InitializeAsync();

        foreach (var (status, left) in (((HttpStatusCode, int)[])[(HttpStatusCode.OK, 1), (HttpStatusCode.OK, 0), (HttpStatusCode.TooManyRequests, 0)]))
        {
            var response = await SendAsync(app, path, token: null);
            Assert.Equal(status, response.StatusCode);
            Assert.Equal([$"\"{policy}\";q=2;w=60"], response.Headers.GetValues("RateLimit-Policy"));
            Assert.Matches($"^\"{policy}\";r={left};t=([1-9]|[1-5][0-9]|60)$", Assert.Single(response.Headers.GetValues("RateLimit")));
            if (status is HttpStatusCode.TooManyRequests)
                Assert.EndsWith($";t={response.Headers.RetryAfter!.Delta!.Value.TotalSeconds}", response.Headers.GetValues("RateLimit").Single());
        }
    }

    [Fact]
    public async Task Without_a_limit_there_are_no_headers()
    {
        await using var app = new ChatBackendApp();
        await app.InitializeAsync();

        var response = await SendAsync(app, "/chat", token: null);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(response.Headers.Contains("RateLimit") || response.Headers.Contains("RateLimit-Policy"));
    }

    [Theory]
    [InlineData("/chat")]
    [InlineData("/search?q=topic")]
    public async Task A_signed_in_reader_has_an_own_limit_behind_the_same_address(string path)
    {
        await using var app = new OwnershipTests.SignedInApp { ["RATE_LIMIT_CHAT"] = "1", ["RATE_LIMIT_SEARCH"] = "1" };
        await app.InitializeAsync();

        foreach (var token in (string?[])[null, app.Token("reader-1"), app.Token("reader-2")])
        {
            Assert.Equal(HttpStatusCode.OK, (await SendAsync(app, path, token)).StatusCode);
            await (await SendAsync(app, path, token)).ProblemAsync(429, "rate_limited");
        }

        // Another token of the same reader.
        await (await SendAsync(app, path, app.Token("reader-1", TimeSpan.FromHours(2)))).ProblemAsync(429, "rate_limited");
    }

    private static (bool IsTaken, string State) Take(RateLimit limit)
    {
        var context = new DefaultHttpContext { Connection = { RemoteIpAddress = IPAddress.Parse("203.0.113.1") } };
        return (limit.Take(context) is null, context.Response.Headers["RateLimit"].ToString());
    }

    private static Task<HttpResponseMessage> SendAsync(ChatBackendApp app, string path, string? token) => app.Client.SendAsync(
        new(path == "/chat" ? HttpMethod.Post : HttpMethod.Get, path)
        {
            Content = path == "/chat" ? new StringContent("""{"message":"What is a topic?"}""", new MediaTypeHeaderValue("application/json")) : null,
            Headers = { Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token) },
        });
}
