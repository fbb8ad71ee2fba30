using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>The Qdrant server. Without a URL, the index in PostgreSQL is used.</summary>
internal sealed class QdrantOptions
{
    /// <summary>The REST address: <c>http://localhost:6333</c>, <c>https://….cloud.qdrant.io:6333</c>.</summary>
    [ConfigurationKeyName("QDRANT_URL")]
    public Uri? Url { get; set; }

    /// <summary>The key, sent as <c>api-key</c>.</summary>
    [ConfigurationKeyName("QDRANT_API_KEY")]
    public string? ApiKey { get; set; }

    [ConfigurationKeyName("QDRANT_COLLECTION"), Required]
    public string Collection { get; set; } = "textbook";
}
