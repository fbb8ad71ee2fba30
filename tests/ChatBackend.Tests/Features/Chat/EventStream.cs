using System.Text.Json;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>One event as a browser would see it.</summary>
internal sealed record StreamedEvent(string Id, string Name, JsonElement Data);

/// <summary>Reads server-sent events as a browser does.</summary>
internal sealed class EventStream(HttpResponseMessage response) : IDisposable
{
    private readonly StreamReader _reader = new(response.Content.ReadAsStream());

    /// <summary>The comments seen so far.</summary>
    public List<string> Comments { get; } = [];

    /// <summary>The next event, or null at the end.</summary>
    public async Task<StreamedEvent?> NextAsync()
    {
        string? id = null, name = null, data = null;
        while (await _reader.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (line.StartsWith(':'))
                Comments.Add(line);
            else if (line.StartsWith("id: ", StringComparison.Ordinal))
                id = line[4..];
            else if (line.StartsWith("event: ", StringComparison.Ordinal))
                name = line[7..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                data = line[6..];
            else if (line.Length == 0 && data is not null)
                return new(id!, name!, JsonDocument.Parse(data).RootElement);
        }

        return null;
    }

    /// <summary>All events to the end.</summary>
    public async Task<IReadOnlyList<StreamedEvent>> AllAsync()
    {
        var events = new List<StreamedEvent>();
        while (await NextAsync() is { } next)
            events.Add(next);
        return events;
    }

    /// <summary>The text of the deltas among some events.</summary>
    public static string Text(IEnumerable<StreamedEvent> events) =>
        string.Concat(events.Where(e => e.Name == "delta").Select(e => e.Data.GetProperty("text").GetString()));

    public void Dispose()
    {
        _reader.Dispose();
        response.Dispose();
    }
}
