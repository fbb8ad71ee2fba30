namespace ChatBackend.Infrastructure.Ai;

/// <summary>Counts the tokens that one piece of work used of models, over all its calls and attempts.</summary>
/// <remarks>What a model reports. Until it does, or if it never does (the call failed, was stopped, or the server reports none), an estimate of
/// what was sent and received.</remarks>
internal sealed class TokenTally
{
    private long _total;

    public long Total => Interlocked.Read(ref _total);

    /// <param name="tokens">Negative when a report is lower than the estimate before it.</param>
    public void Add(long tokens) => Interlocked.Add(ref _total, tokens);
}
