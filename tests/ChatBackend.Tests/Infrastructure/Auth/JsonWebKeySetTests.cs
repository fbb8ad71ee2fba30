using System.Text.Json.Nodes;
using ChatBackend.Infrastructure.Auth;
using Microsoft.AspNetCore.Http;

namespace ChatBackend.Tests.Infrastructure.Auth;

public sealed class JsonWebKeySetTests : IAsyncLifetime
{
    private static readonly SigningKey First = SigningKey.Ed25519("first");
    private static readonly SigningKey Second = SigningKey.Ecdsa("second");

    private StubKeySet _keySet = null!;
    private AuthHost _host = null!;

    public async ValueTask InitializeAsync()
    {
        _keySet = await StubKeySet.StartAsync(First);
        _host = await AuthHost.StartAsync(_keySet);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _keySet.DisposeAsync();
    }

    [Fact]
    public async Task Valid_tokens_stay_valid_while_the_signer_is_unavailable()
    {
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));

        foreach (Action fail in (Action[])[() => _keySet.Fail(500), () => _keySet.Publish("nonsense"), () => _keySet.Publish("""{"keys":[]}"""), () => _keySet.Publish("[]"), () => _keySet.Answer = c => { c.Abort(); return Task.CompletedTask; }])
        {
            fail();
            _host.Clock.Move(TimeSpan.FromHours(1));
            var fetches = _keySet.Fetches;
            await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
            await Until.TrueAsync(() => _keySet.Fetches == fetches + 1, "An old set is fetched again beside the request");
            await _host.ExpectInvalidAsync($"Bearer {Second.Token(_host.Claims())}", "unknown key");
            await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
        }

        Assert.Contains(_host.Warnings, w => w.Contains("AUTH_JWKS_URL", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_new_key_is_usable_within_one_fetch_and_a_withdrawn_one_goes()
    {
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
        _keySet.Publish(First, Second);
        _host.Clock.Move(JsonWebKeySet.Pause);

        await _host.ExpectSubjectAsync(Second.Token(_host.Claims()));
        Assert.Equal(2, _keySet.Fetches);

        _keySet.Publish(Second);
        _host.Clock.Move(JsonWebKeySet.MaxAge);
        await _host.ExpectSubjectAsync(Second.Token(_host.Claims()));
        await Until.TrueAsync(async () => !(await _host.GetAsync("/required", First.Token(_host.Claims()))).IsSuccessStatusCode, "The withdrawn key is still taken");
        Assert.Equal(3, _keySet.Fetches);
    }

    [Fact]
    public async Task After_days_without_a_request_a_withdrawn_key_is_refused_at_once()
    {
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
        var release = new TaskCompletionSource();
        var json = SigningKey.SetOf(Second);
        _keySet.Answer = async context =>
        {
            await release.Task;
            await context.Response.WriteAsync(json);
        };
        _host.Clock.Move(TimeSpan.FromDays(3));

        var requests = Enumerable.Range(0, 5).Select(_ => _host.GetAsync("/optional", First.Token(_host.Claims()))).ToArray();
        await Until.TrueAsync(() => _keySet.Fetches == 2, "The old set was not fetched again");
        // More requests while the fetch is in flight.
        requests = [.. requests, .. Enumerable.Range(0, 5).Select(_ => _host.GetAsync("/optional", First.Token(_host.Claims())))];
        release.SetResult();

        foreach (var request in requests)
            await (await request).ProblemAsync(401, "invalid_token");
        Assert.Equal(2, _keySet.Fetches);
    }

    [Fact]
    public async Task A_set_in_use_is_refreshed_in_the_background()
    {
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
        var release = new TaskCompletionSource();
        var json = SigningKey.SetOf(First);
        _keySet.Answer = async context =>
        {
            await release.Task;
            await context.Response.WriteAsync(json);
        };

        _host.Clock.Move(JsonWebKeySet.MaxAge);
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
        await Until.TrueAsync(() => _keySet.Fetches == 2, "The old set was not fetched again");
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));

        release.SetResult();
    }

    [Fact]
    public async Task Requests_do_not_wait_again_for_an_unavailable_signer()
    {
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
        _keySet.Fail(503);
        _host.Clock.Move(TimeSpan.FromDays(3));
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));

        _keySet.Answer = context => Task.Delay(Timeout.Infinite, context.RequestAborted);
        _host.Clock.Move(JsonWebKeySet.MaxAge);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));

        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 4);
    }

    [Fact]
    public async Task Random_kids_cause_one_fetch_in_30_seconds()
    {
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
        await FloodAsync();
        Assert.Equal(1, _keySet.Fetches);

        for (var round = 2; round <= 4; round++)
        {
            _host.Clock.Move(JsonWebKeySet.Pause);
            await FloodAsync();
            Assert.Equal(round, _keySet.Fetches);
        }

        async Task FloodAsync() => await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ =>
        {
            var token = First.Token(_host.Claims(), SigningKey.Header(new { alg = "EdDSA", kid = Guid.NewGuid() }));
            await (await _host.GetAsync("/optional", token)).ProblemAsync(401, "invalid_token");
        }));
    }

    [Fact]
    public async Task Requests_that_arrive_together_share_the_first_fetch()
    {
        var release = new TaskCompletionSource();
        var json = SigningKey.SetOf(First);
        _keySet.Answer = async context =>
        {
            await release.Task;
            await context.Response.WriteAsync(json);
        };

        var requests = Enumerable.Range(0, 20).Select(_ => _host.ExpectSubjectAsync(First.Token(_host.Claims()))).ToArray();
        await Until.TrueAsync(() => _keySet.Fetches == 1, "Nothing was fetched");
        release.SetResult();
        await Task.WhenAll(requests);

        Assert.Equal(1, _keySet.Fetches);
    }

    [Fact]
    public async Task Until_the_first_set_is_there_a_token_is_neither_good_nor_bad()
    {
        _keySet.Fail(503);

        var response = await _host.GetAsync("/optional", First.Token(_host.Claims()));
        await response.ProblemAsync(503, "sign_in_unavailable");
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal("""{"subject":null}""", await (await _host.GetAsync("/optional", null)).Content.ReadAsStringAsync());

        _keySet.Publish(First);
        _host.Clock.Move(JsonWebKeySet.Pause);
        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
    }

    [Fact]
    public async Task Redirects_are_not_followed_and_large_sets_not_read()
    {
        _keySet.Answer = context =>
        {
            context.Response.Redirect("/elsewhere");
            return Task.CompletedTask;
        };
        await (await _host.GetAsync("/required", First.Token(_host.Claims()))).ProblemAsync(503, "sign_in_unavailable");

        _host.Clock.Move(JsonWebKeySet.Pause);
        _keySet.Publish(SigningKey.SetOf(First) + new string(' ', JsonWebKeySet.MaxBytes));
        await (await _host.GetAsync("/required", First.Token(_host.Claims()))).ProblemAsync(503, "sign_in_unavailable");
    }

    [Fact]
    public async Task A_silent_signer_is_given_5_seconds()
    {
        _keySet.Answer = context => Task.Delay(Timeout.Infinite, context.RequestAborted);
        var watch = System.Diagnostics.Stopwatch.StartNew();

        await (await _host.GetAsync("/required", First.Token(_host.Claims()))).ProblemAsync(503, "sign_in_unavailable");

        Assert.InRange(watch.Elapsed.TotalSeconds, 4, 20);
    }

    [Fact]
    public async Task Unusable_keys_do_not_invalidate_the_others()
    {
        var weak = SigningKey.Rsa("weak", bits: 1024);
        var encryption = With(SigningKey.Ed25519("encryption"), "use", "enc");
        var signOnly = With(SigningKey.Ed25519("sign-only"), "key_ops", new JsonArray("sign"));
        var mismatched = With(SigningKey.Ed25519("mismatched"), "alg", "RS256");
        var nameless = With(SigningKey.Ed25519("nameless"), "kid", null);
        var offCurve = With(SigningKey.Ecdsa("off-curve"), "y", SigningKey.Encode(new byte[32]));
        var short25519 = With(SigningKey.Ed25519("short"), "x", "AAAA");
        var noText = With(SigningKey.Ed25519("no-text"), "x", 1);
        SigningKey[] useless = [weak, encryption, signOnly, mismatched, nameless, offCurve, short25519, noText];
        var set = JsonNode.Parse(SigningKey.SetOf([.. useless, First]))!;
        foreach (var odd in (JsonNode?[])[null, "text", 1, new JsonObject(), new JsonObject { ["kty"] = "oct", ["kid"] = "secret", ["k"] = "AAAA" }, new JsonObject { ["kty"] = "RSA", ["kid"] = "rsa" }])
            set["keys"]!.AsArray().Insert(0, odd);
        _keySet.Publish(set.ToJsonString());

        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
        foreach (var key in useless)
            await _host.ExpectInvalidAsync($"Bearer {key.Token(_host.Claims())}", key.Id!);
    }

    [Fact]
    public async Task An_unpaired_surrogate_in_a_set_is_an_unusable_key_and_not_an_error()
    {
        _keySet.Publish(SigningKey.SetOf(First).Replace("""{"keys":[""", """{"keys":[{"kty":"\ud800","kid":"\udc00","crv":"\ud800","key_ops":["\ud800"]},""", StringComparison.Ordinal));

        await _host.ExpectSubjectAsync(First.Token(_host.Claims()));
    }

    private static SigningKey With(SigningKey key, string member, JsonNode? value)
    {
        key.Jwk!.Remove(member);
        if (value is not null)
            key.Jwk[member] = value;
        return key;
    }
}
