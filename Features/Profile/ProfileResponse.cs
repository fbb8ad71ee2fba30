using System.Text.Json.Serialization;

namespace ChatBackend.Features.Profile;

/// <summary>What a reader says about themselves.</summary>
internal sealed record ProfileResponse
{
    internal const string Columns =
        "display_name, preferred_language, software_experience, hardware_experience, interests, learning_goals, version, created_at, updated_at";

    /// <summary>What the site calls the reader.</summary>
    /// <example>Amina</example>
    public required string? DisplayName { get; init; }

    /// <summary>The language of answers, as a BCP 47 tag.</summary>
    /// <example>ur</example>
    public required string? PreferredLanguage { get; init; }

    /// <summary>Experience with software.</summary>
    /// <example>beginner</example>
    [Experience]
    public required string? SoftwareExperience { get; init; }

    /// <summary>Experience with hardware.</summary>
    /// <example>none</example>
    [Experience]
    public required string? HardwareExperience { get; init; }

    /// <summary>Subjects that the reader is interested in.</summary>
    /// <example>["walking robots","control"]</example>
    public required string[] Interests { get; init; }

    /// <summary>What the reader wants to learn.</summary>
    /// <example>To build a small robot arm.</example>
    public required string? LearningGoals { get; init; }

    /// <summary>When it was created.</summary>
    /// <example>2026-03-01T09:30:00.123456Z</example>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was last changed.</summary>
    /// <example>2026-03-02T17:05:42.5Z</example>
    public required DateTimeOffset UpdatedAt { get; init; }

    [JsonIgnore]
    public int Version { get; init; }

    /// <summary>Set only by the statement that writes it: this request created the profile.</summary>
    [JsonIgnore]
    public bool IsNew { get; init; }
}
