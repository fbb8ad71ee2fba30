using System.Text;
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

    /// <summary>Replaces what stands between the two marks of a document.</summary>
    /// <exception cref="FormatException">The marks are not there.</exception>
    public async Task ReplaceTableAsync(string document)
    {
        const string Begin = "<!-- measured -->\n", End = "<!-- end of measured -->";
        var text = await File.ReadAllTextAsync(document);
        var (begin, end) = (text.IndexOf(Begin, StringComparison.Ordinal), text.IndexOf(End, StringComparison.Ordinal));
        if (begin < 0 || end < begin)
            throw new FormatException($"{document} has no place for the figures.");

        var table = new StringBuilder($"Measured on {MeasuredAt:yyyy-MM-dd}, {Cores} cores shared by load, stub, service and PostgreSQL; {Clients} clients, {Pages:#,0} pages, {Seconds:0.#} s a row.\n\n");
        table.Append("| what | figure | value | aim |\n| --- | --- | --- | --- |\n");
        foreach (var figure in Figures)
            table.Append($"| {figure.Row} | {figure.Name} | {Figure.Show(figure.Value)} {figure.Unit} | {(figure.Aim is { } aim ? $"{aim:#,0.##}{(figure.IsMet ? ", met" : "")}" : "")} |\n");
        await File.WriteAllTextAsync(document, text[..(begin + Begin.Length)] + "\n" + table + "\n" + text[end..]);
    }

    public Figure? Find(Figure figure) => Figures.FirstOrDefault(f => f.Row == figure.Row && f.Name == figure.Name);
}
