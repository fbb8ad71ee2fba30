using ChatBackend.Features.Chat.AiSdk;
using ChatBackend.Features.Chat.Turns;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.AiSdk;

public sealed class AiSdkStreamTests
{
    [Fact]
    public async Task An_attempt_that_was_lost_is_a_step_of_its_own_and_the_answer_is_in_the_last_one()
    {
        var (turn, session) = (Guid.NewGuid(), Guid.NewGuid());
        TurnStep[] steps =
        [
            new TurnStep.Begun("1.0.0", turn, session, 1), new TurnStep.Delta("1.0.4", "Lost"),
            new TurnStep.Begun("2.0.0", turn, session, 2), new TurnStep.Delta("2.0.5", "Whole"),
            new TurnStep.Failed("2.end", turn, TurnFailure.Abandoned()),
        ];
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { RequestServices = new ServiceCollection().AddSingleton(TimeProvider.System).BuildServiceProvider(), Response = { Body = body } };

        await AiSdkStream.Of(steps.ToAsyncEnumerable(), context.Response).ExecuteAsync(context);

        Assert.Equal(
            [
                $$$"""{"type":"start","messageId":"{{{turn}}}","messageMetadata":{"turnId":"{{{turn}}}","sessionId":"{{{session}}}"}}""", """{"type":"start-step"}""",
                """{"type":"text-start","id":"answer"}""", """{"type":"text-delta","id":"answer","delta":"Lost"}""", """{"type":"text-end","id":"answer"}""",
                """{"type":"finish-step"}""", """{"type":"start-step"}""",
                """{"type":"text-start","id":"answer"}""", """{"type":"text-delta","id":"answer","delta":"Whole"}""", """{"type":"text-end","id":"answer"}""",
                """{"type":"error","errorText":"The question could not be answered after several attempts."}""", "[DONE]",
            ],
            System.Text.Encoding.UTF8.GetString(body.ToArray()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line["data: ".Length..]));
    }
}
