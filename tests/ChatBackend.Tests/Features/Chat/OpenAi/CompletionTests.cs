using ChatBackend.Features.Chat;
using ChatBackend.Features.Chat.OpenAi;
using ChatBackend.Features.Chat.Turns;

namespace ChatBackend.Tests.Features.Chat.OpenAi;

public sealed class CompletionTests
{
    [Fact]
    public async Task An_answer_that_starts_again_is_an_error_as_the_client_cannot_take_back_what_it_has()
    {
        var turn = new OpenedTurn(Guid.NewGuid(), Guid.NewGuid());
        TurnStep[] steps =
        [
            new TurnStep.Begun("1.0.0", turn.TurnId, turn.SessionId, 1), new TurnStep.Delta("1.0.4", "Lost"),
            new TurnStep.Begun("2.0.0", turn.TurnId, turn.SessionId, 2), new TurnStep.Delta("2.0.5", "Whole"),
        ];

        var chunks = await Completion.ChunksAsync(turn, steps.ToAsyncEnumerable(), options: new(true), created: 1, TestContext.Current.CancellationToken)
            .Select(chunk => chunk.Data).ToArrayAsync(TestContext.Current.CancellationToken);

        Assert.Equal(3, chunks.Length);
        Assert.Equal("""{"error":{"message":"The answer was lost and starts again. Ask again.","type":"server_error","param":null,"code":"answer_restarted"}}""", chunks[2]);
    }
}
