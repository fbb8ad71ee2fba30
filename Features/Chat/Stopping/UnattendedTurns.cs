using System.Runtime.CompilerServices;
using ChatBackend.Features.Chat.Turns;
using Npgsql;

namespace ChatBackend.Features.Chat.Stopping;

/// <summary>Reads a turn for a client that cannot come back for it: if the client goes away before the end, the model is stopped.</summary>
internal sealed class UnattendedTurns(TurnReader turns, TurnRunner runner, NpgsqlDataSource database)
{
    /// <param name="cancellationToken">Cancelled when the client is gone.</param>
    public async IAsyncEnumerable<TurnStep> FollowAsync(
        OpenedTurn turn, string? subject, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var hasEnded = false;
        try
        {
            await foreach (var step in turns.FollowAsync(turn.TurnId, after: null, cancellationToken))
            {
                hasEnded = step is TurnStep.Ended || (step is TurnStep.Failed { Failure: var failure } && !IsLeft(failure));
                yield return step;
            }
        }
        finally
        {
            if (!hasEnded)
                await StopAsync(turn, subject);
        }
    }

    /// <inheritdoc cref="FollowAsync"/>
    public async Task<TurnEnd?> WaitAsync(OpenedTurn turn, string? subject, CancellationToken cancellationToken)
    {
        try
        {
            var end = await turns.WaitAsync(turn.TurnId, cancellationToken);
            if (end?.Failure is { } failure && IsLeft(failure))
                await StopAsync(turn, subject);
            return end;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await StopAsync(turn, subject);
            throw;
        }
    }

    /// <summary>True if another process would answer the turn for nobody.</summary>
    private static bool IsLeft(TurnFailure failure) => failure.Code == TurnFailure.ServerStoppingCode;

    // Not the client's token, which is cancelled.
    private Task<bool> StopAsync(OpenedTurn turn, string? subject) => StopTurn.RequestAsync(turn.TurnId, subject, database, runner, CancellationToken.None);
}
