using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Http;
using FluentValidation;

namespace ChatBackend.Features.Profile;

/// <summary>A profile as its reader writes it, whole. Every field may be left out. Lengths are in code points.</summary>
internal sealed record ProfileRequest
{
    public const int MaxNameLength = 100;

    /// <summary>RFC 5646, 4.4.1.</summary>
    public const int MaxLanguageLength = 35;

    public const int MaxInterests = 20;

    public const int MaxInterestLength = 60;

    public const int MaxGoalsLength = 1000;

    /// <summary>What the site calls the reader: 1 to 100 characters. It is not sent to the model.</summary>
    /// <example>Amina</example>
    [StringLength(MaxNameLength, MinimumLength = 1)]
    public string? DisplayName { get; init; }

    /// <summary>The language of answers, as a BCP 47 tag; without it, that of each question.</summary>
    /// <example>ur</example>
    [StringLength(MaxLanguageLength, MinimumLength = 2)]
    public string? PreferredLanguage { get; init; }

    /// <summary>Experience with software.</summary>
    /// <example>beginner</example>
    [Experience]
    public string? SoftwareExperience { get; init; }

    /// <summary>Experience with hardware.</summary>
    /// <example>none</example>
    [Experience]
    public string? HardwareExperience { get; init; }

    /// <summary>Up to 20 subjects, each of 1 to 60 characters.</summary>
    /// <example>["walking robots","control"]</example>
    [MaxLength(MaxInterests)]
    public IReadOnlyList<string>? Interests { get; init; }

    /// <summary>What the reader wants to learn, up to 1,000 characters.</summary>
    /// <example>To build a small robot arm.</example>
    [StringLength(MaxGoalsLength)]
    public string? LearningGoals { get; init; }

    internal object ToParameters(string? userId, int[]? versions) => new
    {
        UserId = userId,
        Versions = versions,
        ChangeId = Guid.NewGuid(),
        DisplayName,
        PreferredLanguage,
        SoftwareExperience,
        HardwareExperience,
        Interests = Interests?.ToArray() ?? [],
        LearningGoals,
    };
}

internal sealed partial class ProfileRequestValidator : AbstractValidator<ProfileRequest>
{
    public ProfileRequestValidator()
    {
        RuleFor(r => r.DisplayName)
            .Must(n => n is null || !string.IsNullOrWhiteSpace(n)).WithMessage("must not be empty.")
            .Must(n => ValidationFilter.Length(n) <= ProfileRequest.MaxNameLength).WithMessage($"must hold at most {ProfileRequest.MaxNameLength} characters.")
            .StorableText();
        RuleFor(r => r.PreferredLanguage)
            .Must(l => l is null || (l.Length <= ProfileRequest.MaxLanguageLength && LanguageTag().IsMatch(l)))
            .WithMessage("must be a language tag (BCP 47) such as en, ur or pt-BR.");
        RuleFor(r => r.SoftwareExperience).Must(ExperienceAttribute.Allows).WithMessage(ExperienceAttribute.Message);
        RuleFor(r => r.HardwareExperience).Must(ExperienceAttribute.Allows).WithMessage(ExperienceAttribute.Message);
        RuleFor(r => r.Interests)
            .Must(i => i is null || (i.Count <= ProfileRequest.MaxInterests && i.All(IsInterest)))
            .WithMessage($"must hold at most {ProfileRequest.MaxInterests} texts of 1 to {ProfileRequest.MaxInterestLength} characters, without U+0000 and half surrogate pairs.");
        RuleFor(r => r.LearningGoals)
            .Must(g => ValidationFilter.Length(g) <= ProfileRequest.MaxGoalsLength).WithMessage($"must hold at most {ProfileRequest.MaxGoalsLength} characters.")
            .StorableText();
    }

    private static bool IsInterest(string? interest) =>
        !string.IsNullOrWhiteSpace(interest) && ValidationFilter.Length(interest) <= ProfileRequest.MaxInterestLength && ValidationFilter.IsStorable(interest);

    // RFC 5646, 2.1: language, script, region, variants, extensions, private use. Tags without a language are not accepted.
    [GeneratedRegex(
        @"\A[a-z]{2,3}(-[a-z]{3}){0,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(-[0-9a-wyz](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?\z",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex LanguageTag();
}
