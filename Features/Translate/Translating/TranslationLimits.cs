using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Translate.Translating;

/// <summary>How a document is divided into calls to the model (section <c>TranslationLimits</c>); mostly tests change them.</summary>
internal sealed class TranslationLimits
{
    /// <summary>Calls in flight for one document.</summary>
    [Range(1, 256)]
    public int CallsPerDocument { get; set; } = 24;

    /// <summary>Calls in flight for all documents of this process.</summary>
    [Range(1, 1024)]
    public int CallsPerProcess { get; set; } = 48;

    /// <summary>The tokens of the first call: its answer is the first that a reader sees.</summary>
    [Range(1, 10_000)]
    public int FirstCallTokens { get; set; } = 30;

    /// <summary>The fewest tokens of another call, unless the document is shorter. Below, the instructions cost more than the text.</summary>
    [Range(1, 10_000)]
    public int LeastCallTokens { get; set; } = 120;

    /// <summary>The most tokens of a call. A longer segment has a call of its own.</summary>
    [Range(1, 10_000)]
    public int MostCallTokens { get; set; } = 600;
}
