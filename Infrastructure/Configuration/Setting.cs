
namespace ChatBackend.Infrastructure.Configuration;

/// <summary>One environment variable that an operator may set.</summary>
/// <param name="Name">The variable's name.</param>
/// <param name="Meaning">What it does, in a few words.</param>
/// <param name="Default">What holds without it, in words for <c>check</c> and the README.</param>
/// <param name="Problem">Says what is wrong with a value, or null when it is fine. The answer never repeats the value.</param>
internal sealed record Setting(string Name, string Meaning, string Default, Func<string, string?> Problem)
{
    /// <summary>True when the value is masked wherever it is shown.</summary>
    public bool IsSecret { get; init; }
}
