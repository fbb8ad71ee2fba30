using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Search.Qdrant;

/// <summary>
/// Qdrant's REST API in memory on 127.0.0.1, as strict as Qdrant Cloud: it refuses a filter on a field without an index, a
/// vector of the wrong size, a repeated sparse index and a missing key. Like Qdrant, it writes one point at a time, so a
/// concurrent reader may see part of a write. Faults occur in the order in which they were scripted.
/// </summary>
internal sealed class StubQdrant : IAsyncDisposable
{
    public const string Key = "qdrant-secret-of-the-test";

    /// <summary>A key that may only read.</summary>
    public const string ReadOnlyKey = "qdrant-read-only-secret-of-the-test";

    /// <summary>Part of every error that the stub sends. Our answers and logs must not contain it.</summary>
    public const string UpstreamText = "QDRANT-TEXT-THAT-MUST-NOT-LEAK";

    private readonly WebApplication _app;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, StubCollection> _collections = [];
    private readonly Dictionary<string, string> _aliases = [];
    private readonly List<StubQdrantRequest> _requests = [];
    private readonly List<(Func<StubQdrantRequest, bool> When, StubFault Fault, int Times)> _faults = [];

    private StubQdrant(WebApplication app) => _app = app;

    public string Url => _app.Urls.First();

    /// <summary>The <c>strict_mode_config</c> of every collection, besides the indexes that filters need.</summary>
    public JsonObject StrictMode { get; set; } = [];

    public IReadOnlyList<StubQdrantRequest> Requests
    {
        get
        {
            lock (_lock)
                return [.. _requests];
        }
    }

    /// <summary>The names of the collections, without aliases.</summary>
    public IReadOnlyList<string> Collections
    {
        get
        {
            lock (_lock)
                return [.. _collections.Keys.Order(StringComparer.Ordinal)];
        }
    }

    public static async Task<StubQdrant> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var stub = new StubQdrant(app);
        app.Map("/collections/{collection}/{**rest}", stub.HandleAsync);
        app.Map("/aliases", stub.HandleAsync);
        app.Map("/collections", stub.HandleAsync);
        await app.StartAsync();
        return stub;
    }

    /// <summary>Scripts a fault for the next requests of one operation.</summary>
    /// <param name="operation">The end of the path, such as <c>points/query/batch</c>; empty for any.</param>
    public StubQdrant Next(string operation, StubFault fault, int times = 1) => When(r => r.Operation.EndsWith(operation, StringComparison.Ordinal), fault, times);

    /// <summary>Scripts a fault for the next requests that meet a condition.</summary>
    public StubQdrant When(Func<StubQdrantRequest, bool> condition, StubFault fault, int times = 1)
    {
        lock (_lock)
            _faults.Add((condition, fault, times));
        return this;
    }

    /// <summary>Removes all scripted faults.</summary>
    public void Heal()
    {
        lock (_lock)
            _faults.Clear();
    }

    public IReadOnlyList<JsonObject> Payloads(string collection, string kind)
    {
        lock (_lock)
            return [.. (Resolve(collection)?.Points.Values.ToArray() ?? []).Select(p => p.Payload).Where(p => (string?)p["kind"] == kind)];
    }

    public IReadOnlyList<Guid> Ids(string collection)
    {
        lock (_lock)
            return [.. Resolve(collection)?.Points.Keys ?? Enumerable.Empty<Guid>()];
    }

    /// <summary>Changes the payloads of a collection without the service's knowledge.</summary>
    public void Change(string collection, Action<JsonObject> change)
    {
        lock (_lock)
            foreach (var point in Resolve(collection)!.Points.Values)
                change(point.Payload);
    }

    /// <summary>Removes a collection's payload indexes, as if the process had died before it made them.</summary>
    public void ForgetIndexes(string collection)
    {
        lock (_lock)
            Resolve(collection)!.Indexes.Clear();
    }

    /// <summary>Deletes the passages with this word without the service's knowledge.</summary>
    public void Delete(string collection, string word)
    {
        lock (_lock)
            foreach (var point in Resolve(collection)!.Points.Values.Where(p => ((string?)p.Payload["text"])?.Contains(word, StringComparison.Ordinal) is true).ToList())
                Resolve(collection)!.Remove(point.Id);
    }

    /// <summary>Deletes a collection without the service's knowledge.</summary>
    public void Drop(string collection)
    {
        lock (_lock)
            Remove(_aliases.GetValueOrDefault(collection, collection));
    }

    /// <summary>A collection by its name or alias.</summary>
    private StubCollection? Resolve(string name) => _collections.GetValueOrDefault(_aliases.GetValueOrDefault(name, name));

    /// <summary>The aliases of a collection go with it.</summary>
    private bool Remove(string collection)
    {
        foreach (var alias in _aliases.Where(a => a.Value == collection).Select(a => a.Key).ToList())
            _aliases.Remove(alias);
        return _collections.Remove(collection);
    }

    private void ChangeAliases(JsonArray actions)
    {
        foreach (var action in actions)
        {
            if (action!["delete_alias"] is { } deleted)
                _aliases.Remove((string)deleted["alias_name"]!);
            if (action["create_alias"] is { } created)
            {
                var (alias, collection) = ((string)created["alias_name"]!, (string)created["collection_name"]!);
                if (_collections.ContainsKey(alias))
                    throw new StubRefusal(409, $"Wrong input: Collection `{alias}` already exists!");
                _aliases[alias] = _collections.ContainsKey(collection) ? collection : throw new StubRefusal(404, $"Not found: Collection `{collection}` doesn't exist!");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _app.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
        _closing.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var aborted = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _closing.Token);
        var http = context.Request;
        var body = http.ContentLength is null or 0 && !http.Headers.ContainsKey("Transfer-Encoding") ? null : await JsonNode.ParseAsync(http.Body, cancellationToken: aborted.Token);
        var request = new StubQdrantRequest(http.Method, (string?)http.RouteValues["collection"] ?? "", (string?)http.RouteValues["rest"] ?? "", http.QueryString.Value ?? "", body) { Path = http.Path };
        var fault = Record(request);
        try
        {
            if (http.Headers["api-key"] != Key && http.Headers["api-key"] != ReadOnlyKey)
            {
                // The only answer of Qdrant's that is not JSON.
                context.Response.StatusCode = 401;
                await context.Response.WriteAsync("Invalid API key or JWT", aborted.Token);
                return;
            }

            if (http.Headers["api-key"] == ReadOnlyKey && IsWrite(request))
                throw new StubRefusal(403, "Forbidden: Global manage access is required");
            if (fault is { Status: { } status })
            {
                if (status == 429)
                    context.Response.Headers.RetryAfter = "20";
                foreach (var (name, value) in fault.Headers)
                    context.Response.Headers[name] = value;
                throw new StubRefusal(status, "as scripted");
            }

            if (fault is { IsSilent: true })
                await Task.Delay(Timeout.Infinite, aborted.Token);
            request.PointsLeft = fault?.DiesAfter ?? int.MaxValue;
            var result = await AnswerAsync(request);
            if (fault?.DiesAfter is not null)
                throw new StubRefusal(500, "as scripted");
            await WriteAsync(context, 200, new JsonObject { ["time"] = 0.001, ["status"] = "ok", ["result"] = fault?.UpdateStatus is { } status2 ? Restate(result, status2) : result });
        }
        catch (StubRefusal refusal)
        {
            await WriteAsync(context, refusal.Status, new JsonObject { ["time"] = 0.001, ["status"] = new JsonObject { ["error"] = $"{UpstreamText} {refusal.Message}" } });
        }
        catch (OperationCanceledException)
        {
            // The client has closed its connection.
        }
    }

    private static bool IsWrite(StubQdrantRequest request) => request.Method switch
    {
        "GET" => false,
        "POST" => request.Operation is not ("points" or "points/count" or "points/scroll" or "points/query" or "points/query/batch"),
        _ => true,
    };

    private static async Task WriteAsync(HttpContext context, int status, JsonObject answer)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(answer));
    }

    private static JsonNode Restate(JsonNode result, string status)
    {
        foreach (var update in result is JsonArray all ? all : [result.DeepClone()])
            update!["status"] = status;
        return result is JsonArray ? result : new JsonObject { ["operation_id"] = 1, ["status"] = status };
    }

    private StubFault? Record(StubQdrantRequest request)
    {
        lock (_lock)
        {
            _requests.Add(request);
            var place = _faults.FindIndex(f => f.When(request));
            if (place < 0)
                return null;
            var (when, fault, times) = _faults[place];
            if (times == 1)
                _faults.RemoveAt(place);
            else
                _faults[place] = (when, fault, times - 1);
            return fault;
        }
    }

    private async Task<JsonNode> AnswerAsync(StubQdrantRequest request)
    {
        var body = request.Body;
        switch (request.Method, request.Operation)
        {
            case ("GET", "") when request.Path == "/collections":
                lock (_lock)
                    return new JsonObject { ["collections"] = new JsonArray([.. _collections.Keys.Select(name => new JsonObject { ["name"] = name })]) };
            case ("GET", "") when request.Path == "/aliases":
                lock (_lock)
                    return new JsonObject { ["aliases"] = new JsonArray([.. _aliases.Select(a => new JsonObject { ["alias_name"] = a.Key, ["collection_name"] = a.Value })]) };
            case ("POST", "") when request.Collection == "aliases":
                lock (_lock)
                    ChangeAliases(body!["actions"]!.AsArray());
                return true;
            case ("GET", ""):
                lock (_lock)
                    return Find(request).Describe(StrictMode);
            case ("PUT", ""):
                lock (_lock)
                {
                    if (_aliases.ContainsKey(request.Collection))
                        throw new StubRefusal(400, $"Bad request: Can't create collection with name {request.Collection}. Alias with the same name already exists");
                    if (!_collections.TryAdd(request.Collection, new(body!.AsObject())))
                        throw new StubRefusal(409, $"Wrong input: Collection `{request.Collection}` already exists!");
                    return true;
                }

            case ("DELETE", ""):
                lock (_lock)
                    return Remove(request.Collection);
            case ("PUT", "index"):
                lock (_lock)
                    Find(request).Indexes[(string)body!["field_name"]!] = (string)body["field_schema"]!;
                return Done(request);
            case ("PUT", "points"):
                await UpsertAsync(request, body!);
                return Done(request);
            case ("POST", "points/payload"):
                await SetPayloadAsync(request, body!);
                return Done(request);
            case ("POST", "points/delete"):
                await DeleteAsync(request, body!);
                return Done(request);
            case ("POST", "points/batch"):
                return await UpdateAsync(request, body!);
            default:
                lock (_lock)
                {
                    var collection = Find(request);
                    Limit(request, body!);
                    return Read(request, collection, body!);
                }

        }
    }

    /// <summary>Refuses what strict mode does not allow, in Qdrant's words.</summary>
    private void Limit(StubQdrantRequest request, JsonNode body)
    {
        if (StrictMode.Count == 0)
            return;
        if ((bool?)body["exact"] is true && (bool?)StrictMode["search_allow_exact"] is false)
            throw new StubRefusal(400, "Forbidden: Exact search disabled!. Help: Set exact=false.");
        if (request.Operation == "points/scroll")
            AtMost((int?)body["limit"] ?? 10, "max_query_limit", "limit");
        foreach (var search in body["searches"]?.AsArray() ?? [])
            AtMost((int?)search!["limit"] ?? 10, "max_query_limit", "limit");
        AtMost(body["searches"]?.AsArray().Count ?? 0, "search_max_batchsize", "search batch size");
        AtMost(body["points"]?.AsArray().Count ?? 0, "upsert_max_batchsize", "upsert limit");
        AtMost(request.Query.Split("timeout=") is [_, var timeout] ? int.Parse(timeout) : 0, "max_timeout", "timeout");
        var longest = (body["filter"]?["must"]?.AsArray() ?? []).Max(condition => (condition!["match"]?["any"] as JsonArray)?.Count);
        if (longest > (int?)StrictMode["condition_max_size"])
            throw new StubRefusal(400, $"Forbidden: Condition size limit reached ({longest} > {StrictMode["condition_max_size"]}). Help: Reduce the size of your condition.");

        void AtMost(int value, string limit, string name)
        {
            if (value > (int?)StrictMode[limit])
                throw new StubRefusal(400, $"Forbidden: Limit exceeded {value} > {StrictMode[limit]} for \"{name}\". Help: Reduce the \"{name}\" parameter to or below {StrictMode[limit]}.");
        }
    }

    private static JsonNode Read(StubQdrantRequest request, StubCollection collection, JsonNode body) => (request.Method, request.Operation) switch
    {
        ("POST", "points") => new JsonArray([.. body["ids"]!.AsArray().Select(id => collection.Points.GetValueOrDefault(Guid.Parse((string)id!)))
            .OfType<StubPoint>().Select(p => p.Answer(body))]),
        ("POST", "points/count") => new JsonObject { ["count"] = collection.Where(body["filter"]).Count() },
        ("POST", "points/scroll") => collection.Scroll(body),
        ("POST", "points/query") => collection.Query(body),
        ("POST", "points/query/batch") => new JsonArray([.. body["searches"]!.AsArray().Select(search => collection.Query(search!))]),
        _ => throw new StubRefusal(404, "no such route"),
    };

    private async Task<JsonNode> UpdateAsync(StubQdrantRequest request, JsonNode body)
    {
        var results = new JsonArray();
        foreach (var operation in body["operations"]!.AsArray())
        {
            var (name, parameters) = operation!.AsObject().Single();
            await (name switch
            {
                "upsert" => UpsertAsync(request, parameters!),
                "set_payload" => SetPayloadAsync(request, parameters!),
                "delete" => DeleteAsync(request, parameters!),
                _ => throw new StubRefusal(400, $"unknown variant {name}"),
            });
            results.Add(Done(request));
        }

        return results;
    }

    private async Task UpsertAsync(StubQdrantRequest request, JsonNode body)
    {
        var points = body["points"]!.AsArray().Select(p => new StubPoint(p!.AsObject())).ToArray();
        lock (_lock)
        {
            Limit(request, body);
            foreach (var point in points)
                Find(request).Check(point);
        }

        // A point that exists and does not match stays as it is; a new one is written whatever the filter says.
        await EachAsync(request, points, point => Find(request).Put(point, body["update_filter"]));
    }

    private async Task SetPayloadAsync(StubQdrantRequest request, JsonNode body) =>
        await EachAsync(request, Selected(request, body), point =>
        {
            foreach (var (name, value) in body["payload"]!.AsObject())
                point.Payload[name] = value?.DeepClone();
        });

    private async Task DeleteAsync(StubQdrantRequest request, JsonNode body) => await EachAsync(request, Selected(request, body), point => Find(request).Remove(point.Id));

    private StubPoint[] Selected(StubQdrantRequest request, JsonNode body)
    {
        lock (_lock)
        {
            var collection = Find(request);
            return body["points"] is JsonArray ids
                ? [.. ids.Select(id => collection.Points.GetValueOrDefault(Guid.Parse((string)id!)) ?? throw new StubRefusal(404, $"No point with id {id}"))]
                : [.. collection.Where(body["filter"])];
        }
    }

    private async Task EachAsync(StubQdrantRequest request, IEnumerable<StubPoint> points, Action<StubPoint> change)
    {
        foreach (var point in points)
        {
            if (request.PointsLeft-- == 0)
                throw new StubRefusal(500, "as scripted");
            lock (_lock)
                change(point);
            await Task.Yield();
        }
    }

    private StubCollection Find(StubQdrantRequest request) =>
        Resolve(request.Collection) ?? throw new StubRefusal(404, $"Not found: Collection `{request.Collection}` doesn't exist!");

    /// <summary>Without <c>wait</c>, Qdrant only acknowledges the write.</summary>
    private static JsonObject Done(StubQdrantRequest request) =>
        new() { ["operation_id"] = 1, ["status"] = request.Query.Contains("wait=true", StringComparison.Ordinal) ? "completed" : "acknowledged" };
}

internal sealed record StubFault
{
    /// <summary>The request fails with this status and changes nothing.</summary>
    public int? Status { get; init; }

    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>The request gets no answer and changes nothing.</summary>
    public bool IsSilent { get; init; }

    /// <summary>The write is done, but reported with this status: <c>acknowledged</c> or <c>wait_timeout</c>.</summary>
    public string? UpdateStatus { get; init; }

    /// <summary>The write changes at most this many points and then fails, as after a crash or a lost answer.</summary>
    public int? DiesAfter { get; init; }

    public static StubFault Error(int status, params (string Name, string Value)[] headers) => new() { Status = status, Headers = headers };

    public static StubFault Silence { get; } = new() { IsSilent = true };

    public static StubFault Update(string status) => new() { UpdateStatus = status };
}

/// <param name="Operation">The path after the collection, without a leading slash.</param>
internal sealed record StubQdrantRequest(string Method, string Collection, string Operation, string Query, JsonNode? Body)
{
    public string Path { get; init; } = "";

    /// <summary>How many points the request may still change before it fails.</summary>
    public int PointsLeft { get; set; } = int.MaxValue;
}

internal sealed class StubRefusal(int status, string message) : Exception(message)
{
    public int Status { get; } = status;
}

internal sealed class StubPoint
{
    public StubPoint(JsonObject point)
    {
        Id = Guid.ParseExact((string)point["id"]!, "D");
        Payload = point["payload"]?.DeepClone().AsObject() ?? [];
        foreach (var (name, vector) in point["vector"]!.AsObject())
            if (vector is JsonArray numbers)
                Dense[name] = [.. numbers.Select(n => (float)n!)];
            else
                Sparse[name] = Numbers(vector!);
    }

    public Guid Id { get; }

    public JsonObject Payload { get; }

    public Dictionary<string, float[]> Dense { get; } = [];

    public Dictionary<string, Dictionary<uint, float>> Sparse { get; } = [];

    public static Dictionary<uint, float> Numbers(JsonNode sparse)
    {
        var indices = sparse["indices"]!.AsArray().Select(i => (uint)i!).ToArray();
        var values = sparse["values"]!.AsArray().Select(v => (float)v!).ToArray();
        if (indices.Length != values.Length || indices.Distinct().Count() != indices.Length)
            throw new StubRefusal(422, "Validation error in JSON body: [indices: must be unique; values: must be the same length as indices]");
        return indices.Zip(values).ToDictionary(p => p.First, p => p.Second);
    }

    public JsonObject Answer(JsonNode request, double? score = null, bool payloadByDefault = true)
    {
        var answer = new JsonObject { ["id"] = Id.ToString() };
        if (score is not null)
            (answer["version"], answer["score"]) = (1, (float)score);
        if (request["with_payload"] is JsonArray fields)
            answer["payload"] = Only(name => Contains(fields, name));
        else if (request["with_payload"] is JsonObject { } selector)
            answer["payload"] = Only(name => !Contains(selector["exclude"]!.AsArray(), name));
        else if ((bool?)request["with_payload"] ?? payloadByDefault)
            answer["payload"] = Payload.DeepClone();
        if (request["with_vector"] is JsonArray names)
        {
            var vectors = new JsonObject();
            foreach (var name in names.Select(n => (string)n!).Where(Sparse.ContainsKey))
                vectors[name] = new JsonObject
                {
                    ["indices"] = new JsonArray([.. Sparse[name].Keys.Select(k => JsonValue.Create(k))]),
                    ["values"] = new JsonArray([.. Sparse[name].Values.Select(v => JsonValue.Create(v))]),
                };
            foreach (var name in names.Select(n => (string)n!).Where(Dense.ContainsKey))
                vectors[name] = new JsonArray([.. Dense[name].Select(v => JsonValue.Create(v))]);
            answer["vector"] = vectors;
        }

        return answer;

        JsonObject Only(Predicate<string> isWanted) => new(Payload.Where(field => isWanted(field.Key)).Select(field => KeyValuePair.Create(field.Key, field.Value?.DeepClone())));
        static bool Contains(JsonArray names, string name) => names.Any(n => (string)n! == name);
    }
}

internal sealed class StubCollection(JsonObject parameters)
{
    private readonly JsonObject _parameters = parameters.DeepClone().AsObject();
    private readonly Dictionary<string, int> _sparse = [];
    private readonly Dictionary<(string Vector, uint Index), Dictionary<Guid, float>> _postings = [];

    public SortedDictionary<Guid, StubPoint> Points { get; } = [];

    public Dictionary<string, string> Indexes { get; } = [];

    public JsonObject Describe(JsonObject strictMode) => new()
    {
        ["status"] = "green",
        ["points_count"] = Points.Count,
        ["config"] = new JsonObject { ["params"] = _parameters.DeepClone(), ["strict_mode_config"] = Enabled(strictMode), ["metadata"] = _parameters["metadata"]?.DeepClone() },
        ["payload_schema"] = new JsonObject(Indexes.Select(i => KeyValuePair.Create(i.Key, (JsonNode?)new JsonObject { ["data_type"] = i.Value }))),
    };

    private static JsonNode Enabled(JsonObject strictMode)
    {
        var enabled = strictMode.DeepClone();
        (enabled["enabled"], enabled["unindexed_filtering_retrieve"], enabled["unindexed_filtering_update"]) = (true, false, false);
        return enabled;
    }

    public void Check(StubPoint point)
    {
        foreach (var (name, vector) in point.Dense)
            if (_parameters["vectors"]?[name] is not { } known)
                throw new StubRefusal(400, $"Wrong input: Not existing vector name error: {name}");
            else if ((int)known["size"]! != vector.Length)
                throw new StubRefusal(400, $"Wrong input: Vector dimension error: expected dim: {known["size"]}, got {vector.Length}");
        foreach (var name in point.Sparse.Keys)
            if (_parameters["sparse_vectors"]?[name] is null)
                throw new StubRefusal(400, $"Wrong input: Not existing vector name error: {name}");
    }

    public void Put(StubPoint point, JsonNode? updateFilter)
    {
        var keep = Condition(updateFilter);
        if (Points.TryGetValue(point.Id, out var old) && !keep(old))
            return;
        Remove(point.Id);
        Points[point.Id] = point;
        foreach (var (name, vector) in point.Sparse)
        {
            _sparse[name] = _sparse.GetValueOrDefault(name) + 1;
            foreach (var (index, value) in vector)
                (_postings.TryGetValue((name, index), out var posting) ? posting : _postings[(name, index)] = [])[point.Id] = value;
        }
    }

    public void Remove(Guid id)
    {
        if (!Points.Remove(id, out var point))
            return;
        foreach (var (name, vector) in point.Sparse)
        {
            _sparse[name]--;
            foreach (var index in vector.Keys)
                _postings[(name, index)].Remove(id);
        }
    }

    public IEnumerable<StubPoint> Where(JsonNode? filter)
    {
        var keep = Condition(filter);
        return Points.Values.Where(keep);
    }

    public JsonObject Scroll(JsonNode body)
    {
        var limit = (int?)body["limit"] ?? 10;
        var offset = body["offset"] is { } from ? Guid.Parse((string)from!) : Guid.Empty;
        var found = Where(body["filter"]).Where(p => p.Id.CompareTo(offset) >= 0).Take(limit + 1).ToList();
        return new()
        {
            ["points"] = new JsonArray([.. found.Take(limit).Select(p => p.Answer(body))]),
            ["next_page_offset"] = found.Count > limit ? found[limit].Id.ToString() : null,
        };
    }

    public JsonObject Query(JsonNode body) =>
        new() { ["points"] = new JsonArray([.. Rank(body).Select(r => r.Point.Answer(body, r.Score, payloadByDefault: false))]) };

    private List<(StubPoint Point, double Score)> Rank(JsonNode body)
    {
        var keep = Condition(body["filter"]);
        if (body["query"] is not { } query)
            return [.. Points.Values.Where(keep).Select(p => (p, 0.0)).Take((int?)body["limit"] ?? 10)];
        var name = (string)body["using"]!;
        var found = query is JsonArray numbers ? Nearest(name, [.. numbers.Select(n => (float)n!)]) : Sparse(name, StubPoint.Numbers(query));
        return [.. found.Where(r => keep(r.Point)).OrderByDescending(r => r.Score).ThenBy(r => r.Point.Id).Take((int?)body["limit"] ?? 10)];
    }

    private IEnumerable<(StubPoint Point, double Score)> Nearest(string name, float[] query)
    {
        if (_parameters["vectors"]?[name] is not { } known)
            throw new StubRefusal(400, $"Wrong input: Not existing vector name error: {name}");
        if ((int)known["size"]! != query.Length)
            throw new StubRefusal(400, "Wrong input: Vector dimension error");
        return Points.Values.Where(p => p.Dense.ContainsKey(name)).Select(p => (p, Cosine(p.Dense[name], query)));
    }

    private IEnumerable<(StubPoint Point, double Score)> Sparse(string name, Dictionary<uint, float> query)
    {
        if (_parameters["sparse_vectors"]?[name] is not { } known)
            throw new StubRefusal(400, $"Wrong input: Not existing vector name error: {name}");
        var isIdf = (string?)known["modifier"] == "idf";
        var all = _sparse.GetValueOrDefault(name);
        var scores = new Dictionary<Guid, double>();
        foreach (var (index, weight) in query)
        {
            if (!_postings.TryGetValue((name, index), out var posting) || posting.Count == 0)
                continue;
            var idf = isIdf ? Math.Log(((all - posting.Count + 0.5) / (posting.Count + 0.5)) + 1) : 1;
            foreach (var (id, value) in posting)
                scores[id] = scores.GetValueOrDefault(id) + (weight * idf * value);
        }

        return scores.Select(s => (Points[s.Key], s.Value));
    }

    private static double Cosine(float[] one, float[] other)
    {
        double dot = 0, first = 0, second = 0;
        for (var i = 0; i < one.Length; i++)
            (dot, first, second) = (dot + (one[i] * other[i]), first + (one[i] * one[i]), second + (other[i] * other[i]));
        return first == 0 || second == 0 ? 0 : dot / Math.Sqrt(first * second);
    }

    private Func<StubPoint, bool> Condition(JsonNode? node)
    {
        if (node is null)
            return _ => true;
        if (node["key"] is { } key)
            return Match((string)key!, node["match"]!);
        var must = All("must");
        var mustNot = All("must_not");
        var should = All("should");
        return point => must.All(c => c(point)) && !mustNot.Any(c => c(point)) && (should.Length == 0 || should.Any(c => c(point)));

        Func<StubPoint, bool>[] All(string name) => node[name] is JsonArray conditions ? [.. conditions.Select(c => Condition(c!))] : [];
    }

    private Func<StubPoint, bool> Match(string key, JsonNode match)
    {
        var wanted = (match["any"] is JsonArray any ? any.Select(v => v!) : [match["value"]!]).ToArray();
        var type = wanted.Length == 0 ? null : wanted[0].GetValueKind() == JsonValueKind.Number ? "integer" : "keyword";
        if (!Indexes.TryGetValue(key, out var index) || (type is not null && index != type && (index, type) is not ("uuid", "keyword")))
            throw new StubRefusal(400, $"Bad request: Index required but not found for \"{key}\" of one of the following types: [{type}]. Help: Create an index for this key or use a different filter.");
        var texts = wanted.Select(TextOf).ToHashSet();
        return point => point.Payload[key] switch
        {
            JsonArray values => values.Any(v => texts.Contains(TextOf(v!))),
            { } value => texts.Contains(TextOf(value)),
            null => false,
        };

        // Each filter reads every point: writing strings as JSON would take most of the time of a large ingest.
        static string TextOf(JsonNode value) => value.GetValueKind() == JsonValueKind.String ? (string)value! : value.ToJsonString();
    }
}
