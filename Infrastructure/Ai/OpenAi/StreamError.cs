using System.Text;
using OpenAI.Chat;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>An error object within a stream, which the SDK reads as an empty update.</summary>
internal static class StreamError
{
    public static ModelException? Of(StreamingChatCompletionUpdate update)
    {
#pragma warning disable SCME0001 // The only access to members that the SDK does not model; versions are pinned, and tests cover it.
        ref var patch = ref update.Patch;
        if (!patch.Contains("$.error"u8))
            return null;

        // Some servers send `"error": null` with each update.
        if (patch.TryGetJson("$.error"u8, out var json) && Encoding.UTF8.GetString(json.Span) is "null")
            return null;

        var code = patch.TryGetValue("$.error.code"u8, out string? c) ? c : null;
        var type = patch.TryGetValue("$.error.type"u8, out string? t) ? t : null;
#pragma warning restore SCME0001

        return ModelFaults.FromError(200, code, type, message: null, retryAfter: null);
    }
}
