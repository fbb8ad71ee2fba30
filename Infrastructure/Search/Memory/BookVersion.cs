namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>A version of the book. A failover can lose the newest ones, and others then get their numbers: the stamps tell them apart.</summary>
/// <param name="Number">Every transaction that changes the book adds 1; -1 before the first load.</param>
/// <param name="Stamp">Random, <see cref="StampLength"/> characters.</param>
internal sealed record BookVersion(long Number, string Stamp)
{
    public const int StampLength = 8;

    /// <summary>Whether this version was followed by another one.</summary>
    /// <param name="number">Of the other one.</param>
    /// <param name="stamps">Of the other one and those before it, newest first: as many as the database keeps.</param>
    public bool IsBefore(long number, string stamps) =>
        (number - Number) * StampLength is >= 0 and var start && start < stamps.Length && string.CompareOrdinal(stamps, (int)start, Stamp, 0, StampLength) == 0;
}
