using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Translate.Caching;

/// <summary>How requests share the translation of a segment (section <c>TranslationCache</c>); mostly tests change them.</summary>
internal sealed class TranslationCacheOptions
{
    /// <summary>How long a claim holds without a renewal: what others wait when a process dies.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan Renewal { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a request looks for what others translate.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan Poll { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long translations wait for a database that is unavailable. After that they are paid for again.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan StorePatience { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Translations that nobody has used for so many days are deleted.</summary>
    [Range(1, 10_000)]
    public int UnusedDays { get; set; } = 90;
}
