
namespace ChatBackend.Infrastructure.Ai;

/// <summary>A model that writes text: at OpenAI, or at a server with the same API. Not registered where none is configured.</summary>
internal interface IChatModel
{
    string Name { get; }

    /// <summary>Writes an answer piece by piece. The last piece has a <see cref="ModelPiece.Finish"/>; a stream without one throws.</summary>
    /// <exception cref="ModelException">Every failure, whatever its cause.</exception>
    IAsyncEnumerable<ModelPiece> StreamAsync(ModelRequest request, CancellationToken cancellationToken);
}

internal enum ModelRole
{
    System,
    User,
    Assistant,
}

internal sealed record ModelMessage(ModelRole Role, string Content);

internal sealed record ModelRequest(IReadOnlyList<ModelMessage> Messages)
{
    /// <summary>The most tokens of the answer. A server that sends more is cut off (<see cref="OutputLimit"/>).</summary>
    public int MaxOutputTokens { get; init; } = AiOptions.DefaultMaxOutputTokens;

    /// <summary>The JSON schema that the answer has to fit; null for text. A server that does not know schemas refuses the request.</summary>
    public string? JsonSchema { get; init; }

    /// <summary>The time limit of all attempts together; null for <see cref="AiOptions.TimeoutSeconds"/>.</summary>
    public TimeSpan? Budget { get; init; }

    /// <summary>Where the tokens are counted, those of failed and cancelled attempts too.</summary>
    public TokenTally? Tally { get; init; }
}

internal sealed record ModelPiece(string Text)
{
    public ModelFinish? Finish { get; init; }

    /// <summary>Tokens used; only on the last piece, and only if the model reports them.</summary>
    public ModelUsage? Usage { get; init; }

    /// <summary>The model that answered, if it is reported (a fallback, a dated snapshot).</summary>
    public string? Model { get; init; }
}

internal enum ModelFinish
{
    Stop,

    Length,

    ContentFilter,
}

internal sealed record ModelUsage(int InputTokens, int OutputTokens);

internal sealed record ModelAnswer(string Text, ModelFinish Finish, ModelUsage? Usage, string Model);
