using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Tests.Features.Translate.Translating;

/// <summary>A model that answers with what a function makes of each segment's text, as the prompt asks it to.</summary>
internal sealed class StubTranslator(Func<string, string?, string> translate) : IChatModel
{
    private int _inFlight;
    private int _mostInFlight;

    public string Name => "stub";

    /// <summary>The texts of each call.</summary>
    public ConcurrentQueue<string[]> Calls { get; } = new();

    public ConcurrentQueue<ModelRequest> Requests { get; } = new();

    public int MostInFlight => _mostInFlight;

    /// <summary>What is done before a call is answered.</summary>
    public Func<string[], CancellationToken, Task> Before { get; init; } = (_, _) => Task.CompletedTask;

    /// <summary>What it answers when it is asked for the language of a text.</summary>
    public string Language { get; init; } = "en";

    /// <summary>Changes the whole answer.</summary>
    public Func<string, string> Answer { get; init; } = json => json;

    public async IAsyncEnumerable<ModelPiece> StreamAsync(ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!request.Messages[^1].Content.StartsWith('{'))
        {
            Requests.Enqueue(request);
            request.Tally?.Add(15);
            yield return new(Language) { Finish = ModelFinish.Stop, Usage = new(10, 5) };
            yield break;
        }

        using var message = JsonDocument.Parse(request.Messages[^1].Content);
        var segments = message.RootElement.GetProperty("segments").EnumerateArray()
            .Select(s => (Id: s.GetProperty("id").GetInt32(), Text: s.GetProperty("text").GetString()!, Problem: s.TryGetProperty("problem", out var p) ? p.GetString() : null)).ToArray();
        Calls.Enqueue([.. segments.Select(s => s.Text)]);
        Requests.Enqueue(request);
        var inFlight = Interlocked.Increment(ref _inFlight);
        InterlockedMax(inFlight);
        try
        {
            await Before([.. segments.Select(s => s.Text)], cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }

        yield return new(Answer(JsonSerializer.Serialize(new { segments = segments.Select(s => new { id = s.Id, text = translate(s.Text, s.Problem) }) })));
        request.Tally?.Add(15);
        yield return new("") { Finish = ModelFinish.Stop, Usage = new(10, 5) };
    }

    private void InterlockedMax(int value)
    {
        for (var seen = _mostInFlight; value > seen; seen = _mostInFlight)
            Interlocked.CompareExchange(ref _mostInFlight, value, seen);
    }
}
