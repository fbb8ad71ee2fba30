using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Http.Json;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>The JSON of what turns keep and send: snake_case, and Urdu as Urdu.</summary>
internal static class TurnJson
{
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new UtcTimeConverter() },
    };

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, Options);

    /// <summary>A value of an enum as JSON and the database have it.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    public static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options)!;
}
