using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>The body of a request for a streamed answer (POST /chat/completions).</summary>
internal static class ChatRequest
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    public static byte[] Of(string model, ModelRequest request) => JsonSerializer.SerializeToUtf8Bytes(
        new
        {
            model,
            request.Messages,
            MaxCompletionTokens = request.MaxOutputTokens,
            Stream = true,
            StreamOptions = new { IncludeUsage = true },
            ResponseFormat = request.JsonSchema is { } schema
                ? new { Type = "json_schema", JsonSchema = new { Name = "answer", Schema = JsonElement.Parse(schema), Strict = true } }
                : null,
        },
        Options);
}
