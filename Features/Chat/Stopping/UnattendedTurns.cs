using System.Runtime.CompilerServices;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using Npgsql;

namespace ChatBackend.Features.Chat.Stopping;

/// <summary>Opens and reads a turn for a client that cannot come back for it: if it goes away before the end, and no other one waits, the model is stopped.</summary>
internal sealed class UnattendedTurns(TurnOpener opener, TurnReader turns, TurnRunner runner, NpgsqlDataSource database)
{
    /// <summary>As <see cref="TurnOpener.AskAsync"/>, but a turn that was stopped is asked again: its client has lost the connection and retries.</summary>
    public async Task<OpenedTurn> AskAsync(
        Question question, Guid? sessionId, string? key, CurrentReader reader, HttpContext context, CancellationToken cancellationToken)
    {
        while (true)
        {
            var turn = await opener.AskAsync(question, sessionId, key, reader, context, cancellationToken, isFollowed: true);
            if (!turn.IsStopping || runner.HasHandedOn)
                return turn;
            await turns.WaitAsync(turn.TurnId, cancellationToken);
        }
    }

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
    private Task<bool> StopAsync(OpenedTurn turn, string? subject) => StopTurn.RequestAsync(turn.TurnId, subject, database, runner, CancellationToken.None, turn.Follower);
}
