using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Http.Json;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>The JSON that turns store and send: snake_case, with letters of any script unescaped.</summary>
internal static class TurnJson
{
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new UtcTimeConverter() },
    };

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, Options);

    public static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    public static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options)!;
}
