
namespace ChatBackend.Infrastructure.Ai;

/// <summary>A model that writes text: at OpenAI, or at a server with the same API. Not registered where none is configured.</summary>
internal interface IChatModel
{
    /// <summary>The model's name, as the reader sees it in <c>model</c>: <c>gpt-4o-mini</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Writes an answer piece by piece. The last piece has a <see cref="ModelPiece.Finish"/>; a stream that ends without one
    /// throws.
    /// </summary>
    /// <exception cref="ModelException">Every failure, whatever its cause.</exception>
    IAsyncEnumerable<ModelPiece> StreamAsync(ModelRequest request, CancellationToken cancellationToken);
}

/// <summary>Who wrote a message.</summary>
internal enum ModelRole
{
    System,
    User,
    Assistant,
}

/// <summary>One message of a prompt.</summary>
internal sealed record ModelMessage(ModelRole Role, string Content);

/// <summary>What a model is asked.</summary>
/// <param name="Messages">The prompt, oldest first.</param>
internal sealed record ModelRequest(IReadOnlyList<ModelMessage> Messages)
{
    /// <summary>The most tokens of the answer. A server that sends more is cut off (<see cref="OutputLimit"/>).</summary>
    public int MaxOutputTokens { get; init; } = AiOptions.DefaultMaxOutputTokens;

    /// <summary>The time limit of all attempts together; null for <see cref="AiOptions.TimeoutSeconds"/>.</summary>
    public TimeSpan? Budget { get; init; }
}

/// <summary>A piece of an answer.</summary>
internal sealed record ModelPiece(string Text)
{
    /// <summary>Why the answer ended; only on the last piece.</summary>
    public ModelFinish? Finish { get; init; }

    /// <summary>Tokens used; only on the last piece, and only if the model reports them.</summary>
    public ModelUsage? Usage { get; init; }

    /// <summary>The model that answered, if it is reported (a fallback, a dated snapshot).</summary>
    public string? Model { get; init; }
}

/// <summary>Why a model stopped.</summary>
internal enum ModelFinish
{
    /// <summary>The answer is complete.</summary>
    Stop,

    /// <summary>The limit of output tokens cut the answer.</summary>
    Length,

    /// <summary>A content filter cut the answer.</summary>
    ContentFilter,
}

/// <summary>Tokens of one call.</summary>
internal sealed record ModelUsage(int InputTokens, int OutputTokens);

/// <summary>A whole answer.</summary>
internal sealed record ModelAnswer(string Text, ModelFinish Finish, ModelUsage? Usage, string Model);
