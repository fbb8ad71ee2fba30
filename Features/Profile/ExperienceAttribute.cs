using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Profile;

/// <summary>How much experience a reader has: the same as in the table's constraints.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ExperienceAttribute() : AllowedValuesAttribute([.. All])
{
    private static readonly string[] All = ["none", "beginner", "intermediate", "advanced"];

    public static readonly string Message = $"must be one of {string.Join(", ", All)}.";

    public static bool Allows(string? experience) => experience is null || All.Contains(experience);
}
