
namespace ChatBackend.Infrastructure.Configuration;

/// <summary>One environment variable that an operator may set.</summary>
/// <param name="Default">The value or behaviour without it, in words for <c>check</c> and the README.</param>
/// <param name="Problem">Says what is wrong with a value, or null if it is valid. The text never repeats the value.</param>
internal sealed record Setting(string Name, string Meaning, string Default, Func<string, string?> Problem)
{
    /// <summary>True if the value is masked wherever it is shown.</summary>
    public bool IsSecret { get; init; }
}
