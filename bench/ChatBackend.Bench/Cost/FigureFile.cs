using System.Text.Json;

namespace ChatBackend.Bench.Cost;

/// <summary>The figures of a run as JSON, with what is needed to compare them.</summary>
internal sealed record FigureFile(DateTimeOffset MeasuredAt, int Cores, int Clients, int Readers, int Pages, double Seconds, IReadOnlyList<Figure> Figures)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        IgnoreReadOnlyProperties = true,
    };

    public static async Task<FigureFile> ReadAsync(string path)
    {
        await using var file = File.OpenRead(path);
        return await JsonSerializer.DeserializeAsync<FigureFile>(file, Json) ?? throw new FormatException($"{path} holds no figures.");
    }

    public Task WriteAsync(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return File.WriteAllTextAsync(path, JsonSerializer.Serialize(this, Json) + "\n");
    }

    public Figure? Find(Figure figure) => Figures.FirstOrDefault(f => f.Row == figure.Row && f.Name == figure.Name);
}
