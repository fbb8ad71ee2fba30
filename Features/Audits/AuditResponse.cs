using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Http.Json;

namespace ChatBackend.Features.Audits;

/// <summary>An audit record.</summary>
internal sealed record AuditResponse
{
    internal const string Columns =
        "id, title, status::text as status, score, summary, details::text as details_text, version, created_at, updated_at";

    /// <summary>Its id, a UUIDv7.</summary>
    /// <example>019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21</example>
    public required Guid Id { get; init; }

    /// <summary>What was audited, in a line.</summary>
    /// <example>Torque check of the left knee</example>
    public required string Title { get; init; }

    /// <summary>How far it is.</summary>
    /// <example>completed</example>
    [AuditStatus]
    public required string Status { get; init; }

    /// <summary>The result, from 0 to 100.</summary>
    /// <example>92.5</example>
    public required decimal? Score { get; init; }

    /// <summary>The result in words, by whoever wrote the record or by a model.</summary>
    /// <example>All joints hold their torque; the left knee runs warm.</example>
    public required string? Summary { get; init; }

    /// <summary>Any JSON object.</summary>
    /// <example>{"joint":"knee_left","torque_nm":[41.2,40.9],"firmware":"2.4.1"}</example>
    [JsonConverter(typeof(AnyDepthConverter))]
    public JsonElement Details => JsonElement.Parse(DetailsText, JsonText.AnyDepth);

    /// <summary>When it was created.</summary>
    /// <example>2026-03-01T09:30:00.123456Z</example>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was last changed.</summary>
    /// <example>2026-03-02T17:05:42.5Z</example>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>The details as PostgreSQL writes them: numbers with every digit.</summary>
    [JsonIgnore]
    public string DetailsText { get; init; } = "{}";

    [JsonIgnore]
    public int Version { get; init; }

    /// <summary>Set only by statements that select it.</summary>
    [JsonIgnore]
    public int Summaries { get; init; }
}
