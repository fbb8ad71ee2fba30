using System.ComponentModel.DataAnnotations;
using System.Reflection;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Conversations;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Infrastructure.Search.Qdrant;

namespace ChatBackend.Infrastructure.Configuration;

/// <summary>Every environment variable that an operator may set, in the README's order.</summary>
internal static class SettingsTable
{
    public const string DefaultPort = "8000";

    private static readonly AiOptions Ai = new();
    private static readonly SiteOptions Site = new();

    public static IReadOnlyList<Setting> All { get; } =
    [
        new("DATABASE_URL", "PostgreSQL: a postgres:// URI or Npgsql keywords", "development: a private PostgreSQL under .data/", DatabaseProblem) { IsSecret = true },
        new("AI_PROVIDER", "openai, or offline to answer with quotations instead of a model", "openai; development without a key: offline", OneOf("openai", "offline")),
        new("OPENAI_API_KEY", "the API key of OpenAI, or of the server at OPENAI_BASE_URL", "development: the offline answerer", NoProblem) { IsSecret = true },
        new("OPENAI_BASE_URL", "another server with OpenAI's API", "https://api.openai.com/v1", HttpUrl),
        new("OPENAI_CHAT_MODEL", "the model that answers", Ai.ChatModel, NoProblem),
        new("OPENAI_FALLBACK_MODEL", "the model that answers when the first one fails", "none", NoProblem),
        new("OPENAI_EMBEDDING_MODEL", "the embedding model, also used offline if it is set; off: search by words alone", Ai.EmbeddingModel, NoProblem),
        Number<AiOptions>("OPENAI_EMBEDDING_DIMENSIONS", "the dimensions of an embedding", "the model's own"),
        Number<AiOptions>("MODEL_TIMEOUT_SECONDS", "how long one answer may take with all its attempts, in seconds"),
        Number<AiOptions>("MODEL_MAX_OUTPUT_TOKENS", "the longest answer, in tokens; longer ones are cut"),
        Number<AiOptions>("MODEL_CONTEXT_TOKENS", "how many tokens of history and passages a prompt may contain"),
        new("QDRANT_URL", "Qdrant's REST address", "the embedded index in PostgreSQL", HttpUrl),
        new("QDRANT_API_KEY", "Qdrant's API key", "none", NoProblem) { IsSecret = true },
        new("QDRANT_COLLECTION", "the alias of the collection with the book", new QdrantOptions().Collection, NoProblem),
        new("FRONTEND_URL", $"allowed origins, comma-separated, besides {CrossOrigin.Docusaurus}; * for all", "development: all", Origins),
        new("SITE_BASE_URL", "where the book is published, for citations", "relative addresses", HttpUrl),
        new("DOCS_ROUTE", "Docusaurus' routeBasePath of the docs", Site.DocsRoute, Route),
        new("TRAILING_SLASH", "Docusaurus' trailingSlash: true or false", "as Docusaurus without it", OneOf("true", "false")),
        new("BOOK_TITLE", "the book's title, as answers name it", "the sample book's, where it is on; else the book", Title),
        new("BOOK_QUESTIONS", "questions that the widget shows as examples, separated by vertical bars", "the sample book's, where it is on; else none", NoProblem),
        new("BOOK_LANGUAGE", "the book's language (BCP 47); questions in others are translated for search", Site.BookLanguage, Language),
        new("GLOSSARY", "a file with terms that translations keep or translate in one way", "names of robotics, which stay", GlossaryFile.Problem),
        new("HEADING_IDS", "how translations write the ids of headings: comment ({/* #id */}) or classic ({#id}), for Docusaurus before 3.10", "comment", OneOf("comment", "classic")),
        new("AUTH_ISSUER", "the issuer of the readers' tokens (iss)", "not checked", NoProblem),
        new("AUTH_AUDIENCE", "the audience of the tokens (aud)", "not checked", NoProblem),
        new("AUTH_JWKS_URL", "the issuer's public keys (EdDSA, ES256, RS256)", "none; development: dotnet user-jwts", HttpsUrl),
        new("AUTH_SECRET", "a secret shared with the issuer (HS256), at least 32 bytes", "none", AtLeast32Bytes) { IsSecret = true },
        new("OPENAI_COMPATIBLE_KEY", "the keys for clients of OpenAI's API at /v1, comma-separated", "none needed, as for /chat", Keys) { IsSecret = true },
        new("INGEST_API_KEY", "the keys for endpoints of the book's authors, such as insights, comma-separated", "development: open on loopback; else closed", Keys) { IsSecret = true },
        new("INGEST_EXCLUDE", "patterns of pages that are not ingested, comma-separated, as in Docusaurus' exclude", "none", NoProblem),
        Number<PatienceOptions>("INGEST_PATIENCE", "how long an ingest waits for the database, Qdrant or the embedding model when it is unavailable, in seconds"),
        Number<RateLimitOptions>("RATE_LIMIT_CHAT", "chat requests and summaries of audits per minute, client and replica; 0: no limit"),
        Number<RateLimitOptions>("RATE_LIMIT_TRANSLATE", "translations per minute, client and replica; 0: no limit"),
        Number<RateLimitOptions>("RATE_LIMIT_SEARCH", "searches per minute, client and replica; 0: no limit"),
        Number<BudgetOptions>("DAILY_TOKEN_BUDGET", "how many tokens of chat models the service may use in a day (UTC); 0: no limit", "no limit"),
        Number<BudgetOptions>("DAILY_TOKENS_PER_CLIENT", "how many of them one client may use; 0: no limit"),
        new("BUDGET_FALLBACK", "offline: quote the book when the tokens of the day are used up", "429 until midnight UTC", OneOf("offline")),
        Number<RetentionOptions>("RETENTION_DAYS", "conversations in which nothing was asked for so many days are deleted", "kept for ever"),
        new("TRUSTED_PROXIES", "networks (CIDR, comma-separated) of the proxies whose X-Forwarded-For or X-Real-IP is trusted", $"none; on Railway: {TrustedProxies.OfRailway}", Networks),
        new("SAMPLE_BOOK", "on: ingest sample-book/ at start; off: do not", "development: on; else off", OneOf("on", "off")),
        new("AUDITS", "off: no audit endpoints, to which anybody may write", "on", OneOf("on", "off")),
        new("PORT", "the port, on every interface", DefaultPort, Number(1, 65_535)),
        new("OTEL_EXPORTER_OTLP_ENDPOINT", "where traces and metrics go (OTLP)", "off", HttpUrl),
    ];

    /// <summary>All problems that keep the service from starting, one sentence each. In development, some settings may be missing.</summary>
    public static IReadOnlyList<string> Problems(IConfiguration configuration, bool isDevelopment)
    {
        var problems = new List<string>();
        if (!isDevelopment)
        {
            if (configuration["DATABASE_URL"] is null)
                problems.Add("DATABASE_URL is missing: set it to a postgres:// URI.");
            if (configuration["OPENAI_API_KEY"] is null && configuration["OPENAI_BASE_URL"] is null && configuration["AI_PROVIDER"] != "offline")
                problems.Add("OPENAI_API_KEY is missing: set it, or OPENAI_BASE_URL for another server, or AI_PROVIDER=offline to run without a model.");
        }

        if (isDevelopment && configuration["AI_PROVIDER"] == "openai" && configuration["OPENAI_API_KEY"] is null && configuration["OPENAI_BASE_URL"] is null)
            problems.Add("AI_PROVIDER is openai, but neither OPENAI_API_KEY nor OPENAI_BASE_URL is set.");

        problems.AddRange(
            from setting in All
            let value = configuration[setting.Name]
            where value is not null
            let problem = setting.Problem(value)
            where problem is not null
            select $"{setting.Name} is malformed: {problem}.");
        return problems;
    }

    /// <summary>What an operator should know, although the service starts; one sentence each. Only for settings without problems.</summary>
    public static IEnumerable<string> Warnings(IConfiguration configuration, bool isDevelopment)
    {
        if (!AiFeature.IsOffline(configuration.Get<AiOptions>() ?? new(), isDevelopment) && configuration["DAILY_TOKEN_BUDGET"] is null or "0")
            yield return "DAILY_TOKEN_BUDGET is not set: nothing limits what all clients together may spend on the model in a day.";
    }

    private static string? NoProblem(string value) => null;

    private static string? Keys(string value) =>
        value.Split(',').All(key => !string.IsNullOrWhiteSpace(key)) ? null : "a key between the commas, before or after them is empty";

    private static string? DatabaseProblem(string value)
    {
        try
        {
            DatabaseUrl.Parse(value);
            return null;
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }

    private static string? HttpUrl(string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? null : "it is not an http:// or https:// address";

    private static string? HttpsUrl(string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var url) && (url.Scheme == "https" || (url.Scheme == "http" && url.IsLoopback))
            ? null
            : "it is not an https:// address (http:// only on this machine)";

    private static string? Origins(string value)
    {
        var origins = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return origins.All(o => o == "*" || (HttpUrl(o) is null && new Uri(o) is { PathAndQuery: "/" }))
            ? null
            : "an origin is a scheme, a host and perhaps a port, such as https://book.example.org, without a path";
    }

    private static string? Networks(string value) =>
        TrustedProxies.TryParse(value, out _) ? null : "a network is an address and the length of its prefix, such as 10.0.0.0/8";

    private static string? Language(string value) =>
        value.Split('-') is [{ Length: 2 or 3 }, ..] parts && parts.All(p => p.Length is >= 2 and <= 8 && p.All(char.IsAsciiLetterOrDigit))
            ? null
            : "it is not a language tag such as en or ur";

    private static string? Title(string value) =>
        value.Length <= 200 && !value.Any(char.IsControl) ? null : "it is not one line of at most 200 characters";

    private static string? Route(string value) => value.StartsWith('/') ? null : "it does not start with /";

    private static string? AtLeast32Bytes(string value) =>
        System.Text.Encoding.UTF8.GetByteCount(value) >= 32 ? null : "it is shorter than 32 bytes (RFC 7518, 3.2)";

    private static Func<string, string?> OneOf(params string[] words) =>
        value => words.Contains(value) ? null : $"it is neither {string.Join(" nor ", words)}";

    private static Func<string, string?> Number(object from, object to) =>
        value => int.TryParse(value, out var number) && number >= (int)from && number <= (int)to ? null : $"it is not a number from {from} to {to}";

    /// <summary>A number with the default and the range of its property.</summary>
    /// <param name="without">What holds without the setting, if its property has no default.</param>
    private static Setting Number<T>(string name, string meaning, string? without = null) where T : new()
    {
        var property = typeof(T).GetProperties().Single(p => p.GetCustomAttribute<ConfigurationKeyNameAttribute>()?.Name == name);
        var range = property.GetCustomAttribute<RangeAttribute>()!;
        return new(name, meaning, without ?? $"{property.GetValue(new T())}", Number(range.Minimum, range.Maximum));
    }
}
