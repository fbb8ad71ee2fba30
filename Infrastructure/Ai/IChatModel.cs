
namespace ChatBackend.Infrastructure.Ai;

/// <summary>A model that writes text: at OpenAI, or at a server with the same API. Not registered where none is configured.</summary>
internal interface IChatModel
{
    /// <summary>The model's name, as the reader sees it in <c>model</c>: <c>gpt-4o-mini</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Writes an answer piece by piece. The last piece carries <see cref="ModelPiece.Finish"/>; a stream without one
    /// did not end well and throws instead.
    /// </summary>
    /// <exception cref="ModelException">Every failure, whatever its cause.</exception>
    IAsyncEnumerable<ModelPiece> StreamAsync(ModelRequest request, CancellationToken cancellationToken);
}

/// <summary>Whose words a message holds.</summary>
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
    /// <summary>The most tokens that the answer may have. What is longer all the same is cut (<see cref="OutputLimit"/>).</summary>
    public int MaxOutputTokens { get; init; } = AiOptions.DefaultMaxOutputTokens;

    /// <summary>The time that all attempts may take together; null takes the setting's default.</summary>
    public TimeSpan? Budget { get; init; }
}

/// <summary>A piece of an answer.</summary>
internal sealed record ModelPiece(string Text)
{
    /// <summary>Why the answer ended; only on the last piece.</summary>
    public ModelFinish? Finish { get; init; }

    /// <summary>Tokens used; only on the last piece, and only where the model tells.</summary>
    public ModelUsage? Usage { get; init; }

    /// <summary>The model that really answered, where it tells (a fallback, a dated snapshot).</summary>
    public string? Model { get; init; }
}

/// <summary>Why a model stopped.</summary>
internal enum ModelFinish
{
    /// <summary>It had said all.</summary>
    Stop,

    /// <summary>It ran into the limit of output tokens: the answer is cut.</summary>
    Length,

    /// <summary>A content filter cut it.</summary>
    ContentFilter,
}

/// <summary>Tokens of one call.</summary>
internal sealed record ModelUsage(int InputTokens, int OutputTokens);

/// <summary>A whole answer.</summary>
internal sealed record ModelAnswer(string Text, ModelFinish Finish, ModelUsage? Usage, string Model);
