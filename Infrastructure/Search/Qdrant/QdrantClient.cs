using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>One collection of Qdrant over its REST API (api.qdrant.tech), in place of the Qdrant.Client package.
/// Every failure is a <see cref="SearchException"/> without the address, the key or Qdrant's text.</summary>
internal sealed class QdrantClient : IDisposable
{
    /// <summary>The batch size that Qdrant recommends for upserts; a point has one dense vector of 1,536 numbers.</summary>
    public const int MaxPoints = 256;

    private const int Attempts = 2;
    private const long MaxAnswerBytes = 32 * 1024 * 1024;

    private static readonly TimeSpan ReadLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WriteLimit = TimeSpan.FromSeconds(30);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        // Qdrant sorts the fields of a payload.
        AllowOutOfOrderMetadataProperties = true,
    };

    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private readonly ILogger<QdrantClient> _log;
    private readonly string _collection;
    private volatile QdrantStrictMode? _strictMode;

    public QdrantClient(IOptions<QdrantOptions> options, TimeProvider time, ILogger<QdrantClient> log)
    {
        (_time, _log) = (time, log);
        Collection = options.Value.Collection;
        _collection = $"collections/{Uri.EscapeDataString(Collection)}";
        _http = new(new SocketsHttpHandler
        {
            ConnectTimeout = ReadLimit,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            // A redirect would send the key to another host.
            AllowAutoRedirect = false,
        })
        {
            // A proxy may serve Qdrant under a path.
            BaseAddress = new(options.Value.Url!.AbsoluteUri.TrimEnd('/') + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = MaxAnswerBytes,
        };
        if (options.Value.ApiKey is { Length: > 0 } key)
            _http.DefaultRequestHeaders.Add("api-key", key);
    }

    private QdrantClient(QdrantClient other, string collection)
    {
        (_http, _time, _log, Collection) = (other._http, other._time, other._log, collection);
        _collection = $"collections/{Uri.EscapeDataString(collection)}";
    }

    /// <summary>The collection, or its alias.</summary>
    public string Collection { get; }

    /// <summary>A client of another collection on the same server. Only this client is disposed of.</summary>
    public QdrantClient In(string collection) => new(this, collection);

    /// <summary>The name of the collection whose alias <see cref="Collection"/> is; null if it is none.</summary>
    public async Task<string?> GetAliasedAsync(CancellationToken cancellationToken) =>
        (await SendToAsync<QdrantAliases>(HttpMethod.Get, "aliases", null, ReadLimit, cancellationToken)).Aliases.FirstOrDefault(a => a.AliasName == Collection)?.CollectionName;

    /// <summary>The names of all collections on the server that the key has access to.</summary>
    public async Task<IReadOnlyList<string>> ListCollectionsAsync(CancellationToken cancellationToken) =>
        [.. (await SendToAsync<QdrantCollectionNames>(HttpMethod.Get, "collections", null, ReadLimit, cancellationToken)).Collections.Select(c => c.Name)];

    /// <summary>Makes <see cref="Collection"/> the alias of this collection, and of no other, in one step.</summary>
    public Task MoveAliasAsync(string collection, CancellationToken cancellationToken) => SendToAsync<bool>(
        HttpMethod.Post,
        "collections/aliases",
        new
        {
            Actions = new object[]
            {
                new { DeleteAlias = new { AliasName = Collection } },
                new { CreateAlias = new { CollectionName = collection, AliasName = Collection } },
            },
        },
        WriteLimit,
        cancellationToken);

    public async Task<QdrantCollection?> GetCollectionInfoAsync(CancellationToken cancellationToken)
    {
        try
        {
            var collection = await SendAsync<QdrantCollection>(HttpMethod.Get, "", null, ReadLimit, cancellationToken);
            _strictMode = collection.Config.StrictModeConfig is { Enabled: true } strictMode ? strictMode : QdrantStrictMode.Off;
            return collection;
        }
        catch (SearchException e) when (e.Status == (int)HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Creates the collection; false when another process created it first.</summary>
    public async Task<bool> CreateCollectionAsync(object parameters, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync<bool>(HttpMethod.Put, "", parameters, WriteLimit, cancellationToken);
        }
        catch (SearchException e) when (e.Status is (int)HttpStatusCode.Conflict or (int)HttpStatusCode.BadRequest)
        {
            // Some versions return 400 instead of 409. If the request itself was invalid, the caller finds no collection.
            return false;
        }
    }

    /// <summary>A collection that does not exist is no failure.</summary>
    public Task DeleteCollectionAsync(CancellationToken cancellationToken) =>
        SendAsync<bool?>(HttpMethod.Delete, "", null, WriteLimit, cancellationToken);

    public Task CreatePayloadIndexAsync(string field, string type, CancellationToken cancellationToken) =>
        WriteAsync(HttpMethod.Put, "/index?wait=true", new { FieldName = field, FieldSchema = type }, cancellationToken);

    public async Task UpsertAsync(IReadOnlyCollection<QdrantPoint> points, CancellationToken cancellationToken)
    {
        foreach (var batch in points.Chunk((await StrictModeAsync(cancellationToken)).Upserts(MaxPoints)))
            await WriteAsync(HttpMethod.Put, "/points?wait=true", new { Points = batch }, cancellationToken);
    }

    /// <summary>Qdrant applies the operations in order.</summary>
    public async Task UpdateBatchAsync(IReadOnlyCollection<QdrantOperation> operations, CancellationToken cancellationToken)
    {
        var results = await SendAsync<QdrantUpdate[]>(HttpMethod.Post, "/points/batch?wait=true", new { Operations = operations }, WriteLimit, cancellationToken);
        if (results.Length != operations.Count)
            throw Malformed();
        foreach (var result in results)
            Require(result);
    }

    /// <summary>Exact where strict mode allows it, else Qdrant's estimate.</summary>
    public async Task<long> EstimateCountAsync(QdrantFilter filter, CancellationToken cancellationToken)
    {
        var isExact = (await StrictModeAsync(cancellationToken)).SearchAllowExact is not false;
        return (await SendAsync<QdrantCount>(HttpMethod.Post, "/points/count", new { Filter = filter, Exact = isExact }, ReadLimit, cancellationToken)).Count;
    }

    public async Task<long> CountAsync(QdrantFilter filter, CancellationToken cancellationToken) =>
        (await StrictModeAsync(cancellationToken)).SearchAllowExact is not false
            ? await EstimateCountAsync(filter, cancellationToken)
            : (await ScrollAsync<object>(filter, cancellationToken, withPayload: false)).Count;

    /// <summary>Ids that do not exist are left out.</summary>
    /// <param name="without">Fields of the payload to leave out.</param>
    public async Task<IReadOnlyList<QdrantRecord<QdrantPayload>>> RetrieveAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken, params string[] without) =>
        await SendAsync<QdrantRecord<QdrantPayload>[]>(
            HttpMethod.Post, "/points", new { Ids = ids, WithPayload = new { Exclude = without } }, ReadLimit, cancellationToken);

    public async Task<IReadOnlyList<QdrantRecord<T>>> ScrollAsync<T>(QdrantFilter filter, CancellationToken cancellationToken, bool withPayload = true)
    {
        var limit = (await StrictModeAsync(cancellationToken)).Limit(MaxPoints);
        var records = new List<QdrantRecord<T>>();
        for (Guid? offset = null; ;)
        {
            var page = await SendAsync<QdrantPage<T>>(
                HttpMethod.Post, "/points/scroll", new { Filter = filter, Limit = limit, Offset = offset, WithPayload = withPayload }, ReadLimit, cancellationToken);
            records.AddRange(page.Points);
            if (page.NextPageOffset is null || page.NextPageOffset == offset)
                return records;
            offset = page.NextPageOffset;
        }
    }

    /// <param name="vector">The name of a dense vector to return; null for none.</param>
    public async IAsyncEnumerable<QdrantDenseRecord<T>> ScrollWithVectorsAsync<T>(
        QdrantFilter filter, string? vector, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string[] withVector = vector is null ? [] : [vector];
        var limit = (await StrictModeAsync(cancellationToken)).Limit(MaxPoints);
        for (Guid? offset = null; ;)
        {
            var page = await SendAsync<QdrantDensePage<T>>(
                HttpMethod.Post, "/points/scroll", new { Filter = filter, Limit = limit, Offset = offset, WithPayload = true, WithVector = withVector }, WriteLimit, cancellationToken);
            foreach (var point in page.Points)
                yield return point;
            if (page.NextPageOffset is null || page.NextPageOffset == offset)
                yield break;
            offset = page.NextPageOffset;
        }
    }

    /// <param name="isReaders">False for the queries of an ingest, which have the time of a write.</param>
    public async Task<IReadOnlyList<IReadOnlyList<QdrantRecord<QdrantPayload>>>> QueryBatchAsync(
        IReadOnlyCollection<QdrantQuery> queries, CancellationToken cancellationToken, bool isReaders = true)
    {
        var limit = isReaders ? ReadLimit : WriteLimit;
        var strictMode = await StrictModeAsync(cancellationToken);
        var answers = new List<IReadOnlyList<QdrantRecord<QdrantPayload>>>(queries.Count);
        foreach (var batch in queries.Select(q => q with { Limit = strictMode.Limit(q.Limit) }).Chunk(strictMode.Searches(Math.Max(1, queries.Count))))
        {
            var some = await SendAsync<QdrantAnswer[]>(
                HttpMethod.Post, $"/points/query/batch?timeout={strictMode.Timeout((int)limit.TotalSeconds)}", new { Searches = batch }, limit, cancellationToken);
            if (some.Length != batch.Length)
                throw Malformed();
            answers.AddRange(some.Select(a => a.Points));
        }

        return answers;
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Off before there is a collection.</summary>
    private async ValueTask<QdrantStrictMode> StrictModeAsync(CancellationToken cancellationToken)
    {
        if (_strictMode is null)
            await GetCollectionInfoAsync(cancellationToken);
        return _strictMode ?? QdrantStrictMode.Off;
    }

    private async Task WriteAsync(HttpMethod method, string path, object body, CancellationToken cancellationToken) =>
        Require(await SendAsync<QdrantUpdate>(method, path, body, WriteLimit, cancellationToken));

    /// <summary>Throws unless the write is complete: a write that is only acknowledged may still be lost.</summary>
    private static void Require(QdrantUpdate result)
    {
        if (result.Status != "completed")
            throw new SearchException(isUnavailable: true, "The search index did not confirm a write.");
    }

    private Task<T> SendAsync<T>(HttpMethod method, string path, object? body, TimeSpan limit, CancellationToken cancellationToken) =>
        SendToAsync<T>(method, _collection + path, body, limit, cancellationToken);

    /// <summary>Retries transient failures, because every request here is idempotent.</summary>
    private async Task<T> SendToAsync<T>(HttpMethod method, string path, object? body, TimeSpan limit, CancellationToken cancellationToken)
    {
        for (var left = Attempts - 1; ; left--)
        {
            var (answer, failure, isTransient) = await TrySendAsync<T>(method, path, body, limit, cancellationToken);
            if (failure is null)
                return answer!;
            if (!isTransient || left == 0)
                throw failure;
            await Task.Delay(TimeSpan.FromMilliseconds(50 + (100 * Random.Shared.NextDouble())), _time, cancellationToken);
        }
    }

    private async Task<(T? Answer, SearchException? Failure, bool IsTransient)> TrySendAsync<T>(
        HttpMethod method, string path, object? body, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var silence = new CancellationTokenSource(limit, _time);
        using var abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silence.Token);
        try
        {
            using var request = new HttpRequestMessage(method, path);
            if (body is not null)
                request.Content = JsonContent.Create(body, options: Json);
            using var response = await _http.SendAsync(request, abort.Token);
            if (!response.IsSuccessStatusCode)
                return (default, await FailureAsync(response, path, abort.Token), (int)response.StatusCode is 408 or >= 500);

            var answer = await response.Content.ReadFromJsonAsync<QdrantEnvelope<T>>(Json, abort.Token);
            return answer is { Result: { } result } ? (result, null, false) : (default, Malformed(), false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _log.LogWarning("Qdrant did not answer {Operation} within {Limit} s", Name(path), limit.TotalSeconds);
            return (default, Unavailable(), true);
        }
        catch (HttpRequestException e)
        {
            // The exception's message contains the address.
            _log.LogWarning("Qdrant cannot be reached for {Operation}: {Reason}", Name(path), e.HttpRequestError);
            var failure = Unavailable();
            failure.ServerText = e.GetBaseException().Message;
            return (default, failure, e.HttpRequestError != HttpRequestError.ConfigurationLimitExceeded);
        }
        catch (Exception e) when (e is IOException or JsonException or NotSupportedException)
        {
            _log.LogWarning("Qdrant's answer to {Operation} cannot be read: {Reason}", Name(path), e.GetType().Name);
            return (default, e is IOException ? Unavailable() : Malformed(), e is IOException);
        }
    }

    private async Task<SearchException> FailureAsync(HttpResponseMessage response, string path, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        // There is no collection before the first ingest.
        if (status != (int)HttpStatusCode.NotFound)
            _log.LogWarning("Qdrant answered {Operation} with {Status}", Name(path), status);
        // The limits may have changed since they were read.
        if (status == 400)
            _strictMode = null;
        var failure = status switch
        {
            400 when QdrantStrictMode.InTheWay(text) is { } limit => SearchException.Misconfigured(
                "strict_mode_config", $"Qdrant's strict mode is in the way: {limit} in the strict_mode_config of the collection \"{Collection}\" is too strict.", status),
            400 when text.Contains("Index required", StringComparison.Ordinal) => SearchException.Misconfigured(
                "QDRANT_COLLECTION", $"The collection \"{Collection}\" (QDRANT_COLLECTION) lacks payload indexes: ingest the book, which makes them.", status),
            401 => SearchException.Misconfigured("QDRANT_API_KEY", "Qdrant refused the key (401): QDRANT_API_KEY.", status),
            403 => SearchException.Misconfigured(
                "QDRANT_API_KEY", "Qdrant refused the operation (403): the key in QDRANT_API_KEY may only read, or has no access to the collection.", status),
            >= 300 and < 400 => SearchException.Misconfigured("QDRANT_URL", $"The server at QDRANT_URL redirects to another address ({status}).", status),
            408 or 502 or 503 or 504 => new(isUnavailable: true, Unavailable().Message) { Status = status, RetryAfter = RetryAfter(response) },
            429 => new(isUnavailable: true, "The book's search index has too many requests at the moment. Try again shortly.") { Status = status, RetryAfter = RetryAfter(response) },
            >= 500 => new(isUnavailable: true, $"The book's search index has failed ({status}). Try again shortly.") { Status = status, RetryAfter = RetryAfter(response) },
            _ => new(isUnavailable: false, $"The search index rejected the request ({status}).") { Status = status },
        };
        failure.ServerText = ErrorOf(text);
        return failure;
    }

    /// <summary>The text of an error: JSON, or plain text for a wrong key.</summary>
    private static string ErrorOf(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement.TryGetProperty("status", out var status) && status.TryGetProperty("error", out var error) ? $"{error}" : text;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return text;
        }
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response) =>
        response.Headers.RetryAfter is { } asked ? asked.Delta ?? (asked.Date - _time.GetUtcNow()) : null;

    private static SearchException Unavailable() => new(isUnavailable: true, "The book's search index cannot be reached at the moment. Try again shortly.");

    private static SearchException Malformed() => new(isUnavailable: false, "The search index returned an invalid response.");

    private string Name(string path) => path == _collection ? "collection" : path.Replace($"{_collection}/", "", StringComparison.Ordinal).Split('?')[0];
}
