using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Infrastructure.Limits;

/// <summary>A limit on requests per minute and client. Each process counts its own: with n replicas a client may get n times as many.</summary>
/// <remarks>The window slides by segments. .NET's own limiter does not tell when the next request is allowed, which the headers must say.</remarks>
/// <param name="policy">The name in the headers.</param>
/// <param name="perMinute">0 is no limit.</param>
internal sealed class RateLimit(string policy, int perMinute, TimeProvider time)
{
    public const string Chat = "chat";
    public const string Search = "search";
    public const string Translate = "translate";

    /// <summary>What is left of the limit (draft-ietf-httpapi-ratelimit-headers).</summary>
    public const string Header = "RateLimit";
    public const string PolicyHeader = "RateLimit-Policy";

    private const int Segments = 6;
    private const int SegmentSeconds = 60 / Segments;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Queue<Segment>> _clients = [];
    private readonly long _start = time.GetTimestamp();
    private long _cleanedAt;

    /// <summary>Counts the request, once, if its client is below the limit, and says in the response's headers what is left.</summary>
    /// <returns>The refusal of a client that has reached the limit, else null.</returns>
    public ProblemHttpResult? Take(HttpContext context)
    {
        if (perMinute == 0)
            return null;
        // An edited question, say, is first tried as a new one.
        if (context.Items.TryGetValue(this, out var before))
            return (ProblemHttpResult?)before;

        var (isTaken, left, wait) = Count(ClientKey.Of(context));
        var seconds = Problem.RetryAfterSeconds(wait);
        // A stream that has begun before its question was read has sent its headers.
        if (!context.Response.HasStarted)
        {
            context.Response.Headers[PolicyHeader] = $"\"{policy}\";q={perMinute};w=60";
            context.Response.Headers[Header] = $"\"{policy}\";r={left};t={seconds}";
        }

        var refusal = isTaken ? null : Problem.Of(StatusCodes.Status429TooManyRequests, "rate_limited", $"Too many requests. Try again in {seconds} s.", wait);
        context.Items[this] = refusal;
        return refusal;
    }

    /// <returns>How many requests are left, and how long until there is at least one more.</returns>
    private (bool IsTaken, int Left, TimeSpan Wait) Count(string client)
    {
        lock (_lock)
        {
            var now = time.GetElapsedTime(_start);
            var segment = (long)now.TotalSeconds / SegmentSeconds;
            Clean(segment);
            if (!_clients.TryGetValue(client, out var segments))
                _clients[client] = segments = new();
            while (segments.TryPeek(out var oldest) && oldest.Number <= segment - Segments)
                segments.Dequeue();

            var used = segments.Sum(s => s.Count);
            var isTaken = used < perMinute;
            if (isTaken && segments.LastOrDefault() is { } latest && latest.Number == segment)
                latest.Count++;
            else if (isTaken)
                segments.Enqueue(new(segment) { Count = 1 });
            return (isTaken, perMinute - used - (isTaken ? 1 : 0), TimeSpan.FromSeconds((segments.Peek().Number + Segments) * SegmentSeconds) - now);
        }
    }

    /// <summary>Forgets the clients that have sent nothing for a minute.</summary>
    private void Clean(long segment)
    {
        if (segment < _cleanedAt + Segments)
            return;
        _cleanedAt = segment;
        foreach (var (client, segments) in _clients)
        {
            if (segments.Last().Number <= segment - Segments)
                _clients.Remove(client);
        }
    }

    private sealed class Segment(long number)
    {
        public long Number => number;

        public int Count { get; set; }
    }
}
