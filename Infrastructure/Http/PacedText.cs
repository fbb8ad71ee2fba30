using System.Buffers;
using System.Text;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Writes text as fast as the client reads it, to bound the memory per client. A client that stops reading is disconnected.</summary>
internal static class PacedText
{
    /// <summary>The most time that a client may take for one piece. Only a client slower than about 1 KB/s exceeds it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The longest piece, in UTF-16 code units or bytes.</summary>
    private const int MostInOnePiece = 4 * 1024;

    /// <exception cref="OperationCanceledException">The client disconnected or was disconnected.</exception>
    public static async Task WriteAsync(HttpContext context, params string[] parts)
    {
        foreach (var part in parts)
        {
            for (var start = 0; start < part.Length;)
            {
                if (start > 0)
                    await FlushAsync(context);
                var end = Math.Min(part.Length, start + MostInOnePiece);
                // A surrogate pair is not split.
                if (end < part.Length && char.IsHighSurrogate(part[end - 1]))
                    end--;
                Encoding.UTF8.GetBytes(part.AsSpan(start, end - start), context.Response.BodyWriter);
                start = end;
            }
        }

        await FlushAsync(context);
    }

    /// <summary>Adds to what the next <see cref="FlushAsync"/> sends, and sends it if it is a whole piece.</summary>
    /// <param name="text">In UTF-8.</param>
    /// <exception cref="OperationCanceledException">The client disconnected or was disconnected.</exception>
    public static async ValueTask AddAsync(HttpContext context, ReadOnlyMemory<byte> text)
    {
        var writer = context.Response.BodyWriter;
        for (var rest = text; rest.Length > 0;)
        {
            var piece = rest[..Math.Min(rest.Length, MostInOnePiece)];
            writer.Write(piece.Span);
            rest = rest[piece.Length..];
            if (writer.UnflushedBytes >= MostInOnePiece)
                await FlushAsync(context);
        }
    }

    /// <summary>Sends what was added, and waits until the client can take more. A client that takes nothing for too long is disconnected.</summary>
    /// <exception cref="OperationCanceledException">The client disconnected or was disconnected.</exception>
    public static async ValueTask FlushAsync(HttpContext context)
    {
        var gone = context.RequestAborted;
        var sent = context.Response.BodyWriter.FlushAsync(gone);
        if (sent.IsCompletedSuccessfully)
        {
            _ = sent.Result;
            return;
        }

        var flush = sent.AsTask();
        try
        {
            await flush.WaitAsync(Patience, context.RequestServices.GetRequiredService<TimeProvider>(), CancellationToken.None);
        }
        catch (TimeoutException) when (!flush.IsCompleted)
        {
            context.Abort();
            await ((Task)flush).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // RequestAborted is cancelled a little later; from then on this is a client that disconnected.
            await Task.Delay(Timeout.InfiniteTimeSpan, gone);
        }
    }
}
