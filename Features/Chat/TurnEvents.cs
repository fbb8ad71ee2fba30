using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;

namespace ChatBackend.Features.Chat;

/// <summary>A turn as the server-sent events of <c>POST /chat</c>: turn, citations, delta…, then completed, stopped or error.</summary>
internal static class TurnEvents
{
    public static ServerSentEvents Of(IAsyncEnumerable<TurnStep> steps) => new(steps.Select(step => step.WrittenBy(Write)));

    private static ServerSentEvent Write(TurnStep step) => step switch
    {
        TurnStep.Begun begun => new(step.Cursor, "turn", TurnJson.Write(new TurnEvent(begun.TurnId, begun.SessionId, begun.Attempt))),
        TurnStep.Sources sources => new(step.Cursor, "citations", TurnJson.Write(new CitationsEvent(sources.Citations, sources.Retrieved))),
        TurnStep.Delta delta => new(step.Cursor, "delta", TurnJson.Write(new DeltaEvent(delta.Text))),
        TurnStep.Ended ended => new(step.Cursor, ended.IsStopped ? "stopped" : "completed", ended.ResponseJson),
        TurnStep.Failed failed => new(step.Cursor, "error", TurnJson.Write(TurnProblem.Of(failed.Failure, failed.TurnId))),
        _ => throw new InvalidOperationException($"Unknown step {step.GetType().Name}."),
    };

    private sealed record TurnEvent(Guid TurnId, Guid SessionId, int Attempt);

    private sealed record CitationsEvent(IReadOnlyList<Citation> Citations, IReadOnlyList<RetrievedPassage> Retrieved);

    private sealed record DeltaEvent(string Text);
}
