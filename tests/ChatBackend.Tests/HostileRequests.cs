using System.Text;
using ChatBackend.Tests.Infrastructure.Auth;

namespace ChatBackend.Tests;

/// <summary>One bad request.</summary>
/// <param name="Target">Path and query, sent unchanged.</param>
/// <param name="Body">The body, or null for none.</param>
internal sealed record HostileRequest(int Number, string Method, string Target, IReadOnlyList<(string Name, string Value)> Headers, byte[]? Body)
{
    /// <summary>True if the body is over every limit, so that the server may close the connection while the client is sending.</summary>
    public bool IsTooLarge => Body?.Length > 256 * 1024;

    public override string ToString()
    {
        var body = Body is null ? "no body" : $"{Body.Length} bytes: {Encoding.Latin1.GetString(Body.AsSpan(0, Math.Min(Body.Length, 300)))}";
        return $"#{Number} {Method} {(Target.Length > 300 ? Target[..300] : Target)}\n{string.Join('\n', Headers.Select(h => $"{h.Name}: {(h.Value.Length > 200 ? h.Value[..200] : h.Value)}"))}\n{body}";
    }
}

/// <summary>
/// Makes bad requests from good ones, the same for the same seed. Each has one or two faults, so that it passes the checks
/// for all others.
/// </summary>
/// <param name="seed">The same seed repeats a run.</param>
/// <param name="ids">Existing ids by kind, so that some requests reach a row.</param>
internal sealed class HostileRequests(int seed, IReadOnlyDictionary<string, List<string>> ids)
{
    /// <summary>For <c>AUTH_SECRET</c>: tokens are read only if there is a sign-in.</summary>
    public static readonly string Secret = new('s', 32);

    private static readonly (string Method, string Path, string[] Query, (string Name, string Json)[]? Body)[] Routes =
    [
        ("GET", "/", [], null),
        ("GET", "/health", [], null),
        ("GET", "/health/ready", [], null),
        ("POST", "/chat", [], [("message", "\"What is a topic?\""), ("session_id", "null"), ("selected_text", "\"a node\""), ("page_url", "\"/docs/ros2\"")]),
        ("GET", "/chat/turns/{turn_id}", [], null),
        ("GET", "/chat/turns/{turn_id}/events", [], null),
        ("GET", "/chat/sessions/{session_id}/messages", ["cursor", "limit"], null),
        ("DELETE", "/chat/sessions/{session_id}", [], null),
        ("PUT", "/chat/messages/{message_id}/feedback", [], [("rating", "\"up\""), ("comment", "\"good\"")]),
        ("GET", "/chat/insights", ["since"], null),
        ("POST", "/api/chat", [], [("id", "\"q7BzT0mKxW4rYd2N\""), ("messages", "[{\"id\":\"m\",\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"text\":\"What is a topic?\"}]}]"), ("trigger", "\"submit-message\""), ("messageId", "null")]),
        ("GET", "/api/chat/{session_id}/stream", [], null),
        ("POST", "/v1/chat/completions", [], [("messages", "[{\"role\":\"user\",\"content\":\"What is a topic?\"}]"), ("stream", "false"), ("stream_options", "null"), ("n", "1")]),
        ("GET", "/v1/models", [], null),
        ("GET", "/v1/models/{session_id}", [], null),
        ("GET", "/search", ["q", "limit"], null),
        ("GET", "/search/suggest", ["q"], null),
        ("GET", "/widget.js", [], null),
        ("GET", "/audits", ["page", "page_size", "status", "sort", "q"], null),
        ("POST", "/audits", [], Audit()),
        ("GET", "/audits/{id}", [], null),
        ("PUT", "/audits/{id}", [], Audit()),
        ("PATCH", "/audits/{id}", [], Audit()),
        ("DELETE", "/audits/{id}", [], null),
        ("POST", "/audits/{id}/summary", [], null),
        ("GET", "/profile", [], null),
        ("PUT", "/profile", [], Profile()),
        ("PATCH", "/profile", [], Profile()),
        ("DELETE", "/profile", [], null),
        ("GET", "/profile/export", [], null),
        ("GET", "/openapi/v1.json", [], null),
        ("GET", "/docs", [], null),
        ("POST", "/ingest", ["prune", "plan", "root", "version"], [("site", "null"), ("plan", "true"), ("documents", "[{\"path\":\"hostile.md\",\"content\":\"# A\"}]")]),
        ("POST", "/ingest", ["prune", "plan"], [("path", "\"hostile/line.md\""), ("content", "\"text\""), ("title", "null"), ("url", "null")]),
        ("GET", "/ingest/jobs", ["limit"], null),
        ("GET", "/ingest/jobs/{job_id}", [], null),
        ("GET", "/ingest/jobs/{job_id}/events", [], null),
        ("DELETE", "/ingest/jobs/{job_id}", [], null),
        ("GET", "/ingest/documents", ["after", "limit"], null),
        ("DELETE", "/ingest/documents", ["path"], null),
        ("GET", "/nowhere", ["q"], null),
    ];

    /// <summary>JSON values. They are sent as Latin-1: one character is one byte, so invalid UTF-8 can be written.</summary>
    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "-0.0", "1e400", "-1e-400", "0.1e", "123456789012345678901234567890", "NaN", "Infinity", "undefined", "'x'",
        "\"\"", "\" \"", "\"\\u0000\"", "\"a\\u0000b\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"x\\ud83d\"", "\"\\uffff\"", "\"\\ufffe\"", "\"\\ufdd0\"",
        "\"\\ud83f\\udffe\"", "\"\\u202e\\u200f\\ufeff\"", "\"\u00C3\u0028\"", "\"\u00ED\u00A0\u0080\"", "\"\u00FF\u00FE\"", "\"\u00C0\u0080\"", "\"\u00F4\u0090\u0080\u0080\"",
        "\"\u00EF\u00BF\u00BE\"", "\"\u00EF\u00B7\u0090\"", "\"\\x\"", "\"\\u12\"", "\"a\nb\"", "\"a\u0001b\"", "[]", "{}", "[[]]", "[null]", "{\"\":{}}",
        "{\"a\":1,\"a\":2}", "{\"\\u0000\":1}", "{\"\\ud800\":1}", "{\"a\":1e400}", "[1e999999999]", "{\"a\":\"\\u0000\"}", "\"' or 1=1 --\"", "\"%s%n\"", "\"2026-13-45T99:99:99Z\"",
        "\"00000000-0000-0000-0000-000000000000\"", "\"0F8FAD5B-D9CB-469F-A165-70867728950E\"", "\"up\"", "\"failed\"", "\"UP\"", "101", "-0.5", "1e2", "50.000000000000001",
        Deep('[', ']', 63), Deep('[', ']', 1000), Deep('[', ']', 20_000), new('[', 5000), "{\"a\":" + Deep('[', ']', 70) + "}",
        $"\"{new string('x', 4001)}\"", $"\"{new string('x', 9000)}\"", $"\"{new string('x', 70_000)}\"", $"\"{new string('x', 300_000)}\"", Deep('"', '"', 1),
        $"\"{string.Concat(Enumerable.Repeat("\u00F0\u009F\u00A4\u0096", 4001))}\"", $"\"{string.Concat(Enumerable.Repeat("a\\u0301", 900))}\"",
        $"{{{string.Join(',', Enumerable.Range(0, 3000).Select(i => $"\"k{i}\":{i}"))}}}",
    ];

    private static readonly string[] Bodies =
    [
        "", " ", "null", "0", "\"x\"", "[]", "{}", "[{}]", "{", "}", "{\"", "{\"message\"", "{\"message\":", "\u00EF\u00BB\u00BF{\"message\":\"x\"}", "{\"message\":\"x\"}{\"message\":\"y\"}",
        "{\"message\":\"x\",}", "{/*c*/\"message\":\"x\"}", "{message:\"x\"}", "\u00FF\u00FE{\u0000}\u0000", "{\u0000}\u0000", "\u001F\u008B\u0008\u0000\u0000", "message=x&title=y",
        "<?xml version=\"1.0\"?><a/>", "--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nx\r\n--b--", "\u0000\u0000\u0000\u0000",
    ];

    private static readonly string[] PathIds =
    [
        "00000000-0000-0000-0000-000000000000", "0F8FAD5B-D9CB-469F-A165-70867728950E", "0f8fad5bd9cb469fa16570867728950e", "%7B0f8fad5b-d9cb-469f-a165-70867728950e%7D",
        "x", "0", "-1", "null", "%20", "%", "%ZZ", "%2", "%25%30%30", "%C3%28", "%ED%A0%80", "%EF%BF%BE", "%EF%B7%90", "%FF", "%F0%9F%A4%96", "%0a", "%0d%0aSet-Cookie:x", "%7F",
        "..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%5c", "a;b=c", "*", "'", "%27%20or%201=1--", "~", "@", ":", "%E2%80%AE", new('a', 2000), "{id}", "%00", "a%00b",
        "0f8fad5b-d9cb-469f-a165-70867728950e%00", "0f8fad5b-d9cb-469f-a165-70867728950e%20", "%D9%A0f8fad5b-d9cb-469f-a165-7086772895e",
    ];

    private static readonly string[] QueryValues =
    [
        "", "0", "-1", "1", "51", "101", "1e400", "1.5", "99999999999999999999", "2147483647", "2147483648", "-2147483649", "NaN", "null", "true", "[]", "%00", "a%00b", "%", "%Z", "%ZZ",
        "%C3%28", "%ED%A0%80", "%EF%BF%BE", "%EF%BF%BF", "%EF%B7%90", "%F0%9F%BF%BE", "%FF%FE", "+", "%20", "%0A", "%0d%0a", "%E2%80%8B", "%D9%85%D8%B1%D8%AD%D8%A8%D8%A7", "%CC%81", "%EF%BB%BF",
        "%25", "_", "%5C", "%5C%5C%25", "'", "%27%20or%201=1--", "robot%20AND%20*", ":*", "((((", "!!!", "a%26b", "created_at", "-title", "title;drop", "PENDING", "pending", "%D9%A1", "+1", "%201", "2026-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999-14:00", "-infinity",
        "a", new('a', 1000), new('a', 1001), new('%', 300), new('+', 3000), new('a', 7500), string.Concat(Enumerable.Repeat("%F0%9F%A4%96", 400)), string.Concat(Enumerable.Repeat("a%20", 1500)),
    ];

    private static readonly string[] ContentTypes =
    [
        "application/json; charset=utf-16", "application/json; charset=nonsense", "application/json; charset=utf-7", "application/json; charset=iso-8859-1", "application/json; charset=", "application/json;;;=",
        "application/json; charset=\"utf-8\"", "APPLICATION/JSON", "application/merge-patch+json", "application/problem+json", "application/x+json", "text/plain", "text/json", "application/x-www-form-urlencoded",
        "multipart/form-data", "multipart/form-data; boundary=b", "application/octet-stream", "application/zip", "application/x-ndjson", "APPLICATION/ZIP; a=b", "*/*", "garbage", "/", "", ",", "application/json, application/json", new('a', 3000),
    ];

    private static readonly (string Name, string[] Values)[] HeaderValues =
    [
        ("Accept", ["", "*/*;q=2", "text/event-stream", "text/event-stream;q=abc", "text/event-stream;q=0", "application/json;q=0", ",,,,", "/", "*", "image/png", "text/event-stream, */*;q=-1", "\"", new('a', 5000), string.Join(',', Enumerable.Repeat("text/html", 500))]),
        ("Accept-Encoding", ["gzip;q=abc", "*;q=0", "zstd", ",", "identity;q=0"]),
        ("Accept-Language", ["xx-yy-zz;q=9", "\u00FC", ",,"]),
        ("Authorization", ["", "Bearer", "Bearer ", "Bearer x.y.z", "bearer  a b", "Basic !!!", "Digest x", "Bearer " + new string('a', 6000), "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AA", "Bearer eyJhbGciOiJIUzI1NiJ9.bnVsbA.AA", "Bearer W10.W10.W10", "Bearer ..", "Bearer =.=.=", "Bearer \u00E9", "Token,,"]),
        ("Idempotency-Key", ["", " ", "\"\"", "\"", "a b", "a,b", "\u00E9", "\u00FF", new('k', 255), new('k', 256), new('k', 5000), "\"a\"b\"", "%00", "k"]),
        ("Last-Event-ID", ["", "x", "-1.0.0", "1.0.0", "0.0.0", "1.1.999999", "99999999999.1.1", "1.2147483647.2147483647", "2147483647.0.0", "1.end", "...", "1.-1.0", "\u00E9", new('1', 3000)]),
        ("If-Match", ["", "*", "\"1\"", "\"0\"", "\"-1\"", "W/\"1\"", "\"99999999999999999999\"", "\"", "1", ",,", "\"1\", \"2\", *", "\u00E9", new('"', 2001), string.Join(',', Enumerable.Repeat("\"1\"", 1000))]),
        ("If-None-Match", ["", "*", "\"", "\"1\"", "W/", ",,", new('"', 2001)]),
        ("Origin", ["", "null", "http://evil.example", "http://localhost:3000", "//", "\u00E9", "http://a b"]),
        ("Access-Control-Request-Method", ["POST", "", "FOO", "po st"]),
        ("Content-Encoding", ["gzip", "br", "identity", "nonsense", ""]),
        ("X-Real-IP", ["", "x", "999.1.1.1", "::1", "1.2.3.4, 5.6.7.8", "fe80::1%eth0", new('1', 3000)]),
        ("X-Forwarded-For", ["", "x", "999.1.1.1", ",,,", "[::", new('1', 3000)]),
        ("X-Forwarded-Proto", ["", "x", "https,http", "javascript"]),
        ("traceparent", ["", "x", "00-00000000000000000000000000000000-0000000000000000-00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", new('0', 3000)]),
        ("tracestate", ["", "=", ",,,", new('a', 3000)]),
        ("baggage", ["=", "a=b;c", "\u00E9=%ZZ", new('a', 3000)]),
        ("Range", ["bytes=-1", "bytes=9-1", "x"]),
        ("Cookie", ["", "=", "a=b; a=\u00E9", new('c', 4000)]),
        ("X-HTTP-Method-Override", ["DELETE", "FOO"]),
    ];

    private static readonly string[] Methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "QUERY", "FOO", "get", "M-SEARCH", "_", new('A', 500)];

    /// <summary>Of one reader, for the routes that need a token.</summary>
    private static readonly string Token = SigningKey.Secret(Secret).Token($$"""{"sub":"reader","exp":{{DateTimeOffset.UtcNow.AddHours(12).ToUnixTimeSeconds()}}}""");

    private readonly Random _random = new(seed);

    /// <summary>The next requests.</summary>
    public IEnumerable<HostileRequest> Take(int count) => Enumerable.Range(0, count).Select(Next);

    private static (string Name, string Json)[] Audit() =>
        [("title", "\"A chapter\""), ("status", "\"pending\""), ("score", "50"), ("summary", "\"short\""), ("details", "{\"a\":[1,\"b\",null]}")];

    private static (string Name, string Json)[] Profile() =>
        [("display_name", "\"Amina\""), ("preferred_language", "\"ur\""), ("software_experience", "\"none\""), ("interests", "[\"a\",\"b\"]"), ("learning_goals", "\"all\"")];

    private static string Deep(char open, char close, int depth) => new string(open, depth) + new string(close, depth);

    private HostileRequest Next(int number)
    {
        var (method, path, query, fields) = Pick(Routes);
        var headers = new List<(string Name, string Value)>();
        if (path.StartsWith("/profile", StringComparison.Ordinal))
            headers.Add(("Authorization", $"Bearer {Token}"));
        // Most ids exist, so that a bad request reaches a row. Few are deleted, so that some are left.
        foreach (var (kind, known) in ids)
            path = path.Replace($"{{{kind}}}", Chance(method == "DELETE" ? 0.05 : 0.9) ? Pick(known) : NewId());
        var target = path + Query(query, hostile: false);
        var body = fields is null ? null : Json(fields);
        var contentType = fields is null ? null : "application/json";

        for (var mutations = Chance(0.3) ? 2 : 1; mutations > 0; mutations--)
        {
            switch (_random.Next(8))
            {
                case 0:
                    method = Pick(Methods);
                    break;
                case 1 when path.Length > 40:
                    target = string.Join('/', path.Split('/').Select(p => p.Length == 36 ? Pick(PathIds) : p));
                    break;
                case 1:
                    target = path + Pick(["/", "//", "/..", "/%2e%2e/", "/%00", "/%", "?", "/x", ".json", "%20", "/*", ";a=b", "/%C3%28", "/%ED%A0%80", "#"]);
                    break;
                case 2 or 3 when query.Length > 0:
                    target = path + Query(query, hostile: true);
                    break;
                case 2:
                    var (name, values) = Pick(HeaderValues);
                    headers.Add((name, Pick(values)));
                    break;
                case 3 or 4 or 5 when fields is not null:
                    body = Json(Spoil(fields));
                    break;
                case 3 or 4 or 5:
                    (name, values) = Pick(HeaderValues);
                    headers.Add((name, Pick(values)));
                    break;
                case 6:
                    body = Pick(Bodies);
                    contentType ??= "application/json";
                    break;
                default:
                    body ??= Chance(0.5) ? "{}" : null;
                    contentType = Chance(0.2) ? null : Pick(ContentTypes);
                    break;
            }
        }

        if (contentType is not null && body is not null)
            headers.Add(("Content-Type", contentType));
        return new(number, method, target, headers, body is null ? null : Encoding.Latin1.GetBytes(body));
    }

    private (string Name, string Json)[] Spoil((string Name, string Json)[] fields)
    {
        var spoilt = fields.ToList();
        var at = _random.Next(spoilt.Count);
        switch (_random.Next(8))
        {
            case 0:
                spoilt.RemoveAt(at);
                break;
            case 1:
                spoilt.Add((spoilt[at].Name, Pick(Values)));
                break;
            case 2:
                spoilt.Add((Pick(["", "id", "__proto__", "$type", "Message", "MESSAGE", "a\\u0000", "\\ud800", "created_at"]), Pick(Values)));
                break;
            default:
                spoilt[at] = (spoilt[at].Name, Pick(Values));
                break;
        }

        return [.. spoilt];
    }

    private string Query(string[] names, bool hostile)
    {
        if (names.Length == 0 || (!hostile && !names.Contains("q")))
            return "";
        if (!hostile)
            return "?q=robot";

        var parts = Enumerable.Range(0, _random.Next(1, 4)).Select(_ => $"{(Chance(0.1) ? Pick(["", "q[]", "%00", "%ZZ", "Q", "&&"]) : Pick(names))}={Pick(QueryValues)}").ToList();
        if (names.Contains("q") && Chance(0.5) && !parts.Exists(p => p.StartsWith("q=", StringComparison.Ordinal)))
            parts.Add("q=robot");
        return "?" + string.Join('&', parts);
    }

    private static string Json((string Name, string Json)[] fields) => $"{{{string.Join(',', fields.Select(f => $"\"{f.Name}\":{f.Json}"))}}}";

    private string NewId()
    {
        var bytes = new byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes).ToString();
    }

    private T Pick<T>(IReadOnlyList<T> from) => from[_random.Next(from.Count)];

    private bool Chance(double probability) => _random.NextDouble() < probability;
}
