using System.Collections.Frozen;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>
/// The signer's public keys (RFC 7517) from <c>AUTH_JWKS_URL</c>. A token with an unknown key causes a fetch, at most one
/// every 30 s. A set in use is refreshed in the background; after a pause in traffic it is fetched before it is used, as a
/// key may have been withdrawn. While the signer is unavailable, the last good set stays in use.
/// </summary>
internal sealed class JsonWebKeySet : IDisposable
{
    /// <summary>The largest set that is read: 64 KB.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>The shortest time between two fetches, because anyone can send tokens with unknown keys.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    /// <summary>After this a set in use is refreshed in the background.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(10);

    /// <summary>A set whose last fetch is older than this is fetched before it is used.</summary>
    public static readonly TimeSpan MaxIdle = TimeSpan.FromMinutes(20);

    private readonly Uri? _url;
    private readonly TimeProvider _time;
    private readonly ILogger<JsonWebKeySet> _log;
    private readonly HttpClient _http;
    private readonly Lock _gate = new();
    private volatile FrozenDictionary<(string Id, string Algorithm), VerificationKey> _keys = FrozenDictionary<(string, string), VerificationKey>.Empty;
    private Task _fetch = Task.CompletedTask;
    private long? _fetched;
    private long _answered;

    public JsonWebKeySet(IOptions<AuthOptions> options, TimeProvider time, ILogger<JsonWebKeySet> log)
    {
        (_url, _time, _log) = (options.Value.JwksUrl, time, log);
        // No redirects: only the address that the operator chose is trusted.
        _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(2) })
        {
            MaxResponseContentBufferSize = MaxBytes,
            Timeout = TimeSpan.FromSeconds(5),
        };
    }

    public bool IsEmpty => _keys.Count == 0;

    public async ValueTask<VerificationKey?> FindAsync(string id, string algorithm, CancellationToken cancellationToken)
    {
        // Read before the keys: a fetch that ends in between must not make the old keys look fresh.
        var isFresh = _time.GetElapsedTime(Volatile.Read(ref _answered)) < MaxIdle;
        var isKnown = _keys.TryGetValue((id, algorithm), out var key);
        var fetch = FetchUnlessWithin(isKnown ? MaxAge : Pause);
        if (isKnown && isFresh)
            return key;

        await fetch.WaitAsync(cancellationToken);
        return _keys.GetValueOrDefault((id, algorithm));
    }

    public void Dispose() => _http.Dispose();

    /// <summary>The fetch in flight, or a new one unless the last began within the pause.</summary>
    private Task FetchUnlessWithin(TimeSpan pause)
    {
        lock (_gate)
        {
            if (_fetch.IsCompleted && (_fetched is not { } fetched || _time.GetElapsedTime(fetched) >= pause))
            {
                _fetched = _time.GetTimestamp();
                // Without the request's token: other requests wait for the same fetch.
                _fetch = Task.Run(FetchAsync, CancellationToken.None);
            }

            return _fetch;
        }
    }

    private async Task FetchAsync()
    {
        try
        {
            using var response = await _http.GetAsync(_url);
            var keys = response.IsSuccessStatusCode ? Read(await response.Content.ReadAsByteArrayAsync()) : null;
            if (keys is { Count: > 0 })
                _keys = keys;
            else
                _log.LogWarning("AUTH_JWKS_URL answered {Status} without a usable key; the last good keys stay in use", (int)response.StatusCode);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or ObjectDisposedException)
        {
            _log.LogWarning("AUTH_JWKS_URL cannot be fetched ({Reason}); the last good keys stay in use", (e as HttpRequestException)?.HttpRequestError.ToString() ?? "Timeout");
        }
        finally
        {
            // Set after a failure as well, so that requests do not wait again for an unavailable signer.
            Volatile.Write(ref _answered, _time.GetTimestamp());
        }
    }

    private static FrozenDictionary<(string, string), VerificationKey>? Read(byte[] json)
    {
        if (SignedToken.ReadObject(json) is not { } set || !set.TryGetProperty("keys", out var members) || members.ValueKind is not JsonValueKind.Array)
            return null;

        var keys = new Dictionary<(string, string), VerificationKey>();
        foreach (var jwk in members.EnumerateArray().Where(m => m.ValueKind is JsonValueKind.Object))
        {
            // An unusable key does not invalidate the others.
            if (SignedToken.TryGetText(jwk, "kid", out var id) && !string.IsNullOrEmpty(id) && VerificationKey.OfJwk(jwk) is { } key)
                keys.TryAdd((id, key.Algorithm), key);
        }

        return keys.ToFrozenDictionary();
    }
}
