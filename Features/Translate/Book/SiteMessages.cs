using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Docusaurus;
using Languages = ChatBackend.Infrastructure.Search.Words.Languages;

namespace ChatBackend.Features.Translate.Book;

/// <summary>
/// The messages of a file that <c>docusaurus write-translations</c> has written, such as <c>code.json</c>: <c>{"id": {"message": "…"}}</c>. Placeholders
/// (<c>{count}</c>), tags and addresses stay as they are, and so do the bars between the forms of a plural (<c>One page|{count} pages</c>).
/// </summary>
internal sealed partial class SiteMessages
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly JsonObject _file;
    private readonly List<(string Key, string Source)> _messages;
    private readonly List<Part> _parts;

    private SiteMessages(JsonObject file, List<(string Key, string Source)> messages, List<Part> parts)
    {
        (_file, _messages, _parts) = (file, messages, parts);
        Document = TranslatableDocument.Parse(string.Concat(parts.Select(part => part.Markdown)));
        if (Document.Segments.Count != parts.Count)
            throw new InvalidOperationException("The messages are not one segment each.");
    }

    /// <summary>A list of the messages, and of the forms of plurals, in which what stays as it is looks like code.</summary>
    public TranslatableDocument Document { get; }

    /// <summary>The messages that cannot be translated, by their ids.</summary>
    public IReadOnlyList<string> Unclear { get; private init; } = [];

    /// <param name="path">Below the language's folder.</param>
    /// <param name="force">Translates messages too that somebody has changed.</param>
    /// <exception cref="DocumentException">The file is not one of messages.</exception>
    public static SiteMessages Parse(string path, string text, TranslationRecord record, string targetLanguage, bool force)
    {
        JsonObject file;
        var messages = new List<(string Key, string Source)>();
        try
        {
            file = JsonNode.Parse(text) as JsonObject ?? throw new DocumentException("The file is not a JSON object.");
            foreach (var (key, value) in file)
            {
                if (value?["message"]?.GetValue<string>() is { } message && SourceOf(key, message) is { } source)
                    messages.Add((key, source));
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new DocumentException($"The file has no messages as Docusaurus writes them: {exception.Message}", exception);
        }

        var parts = messages.SelectMany(message => message.Source.Split('|').Select((form, place) => Part.Of(message.Key, place, form))).OfType<Part>().ToList();
        var unclear = parts.Where(part => !part.IsClear).Select(part => part.Key).ToHashSet(StringComparer.Ordinal);

        return new(file, [.. messages.Where(message => !unclear.Contains(message.Key))], [.. parts.Where(part => !unclear.Contains(part.Key))]) { Unclear = [.. unclear] };

        // Null for a message that stays: somebody has changed our translation, or it was in the target language from the start, as Docusaurus' own are.
        string? SourceOf(string key, string message)
        {
            if (record.SourceOf(path, key, message) is { } source)
                return source;
            if (force)
                return message;

            return record.Knows(path, key) || (LanguageTag.Parse(Languages.Of(message)) is { } language && LanguageTag.AreSame(language, targetLanguage)) ? null : message;
        }
    }

    /// <summary>The file with these translations, and the messages in it that were translated. A message of which a part has none stays in its own language.</summary>
    /// <param name="translations">By <see cref="Segment.Index"/>.</param>
    public (string Text, IReadOnlyList<(string Key, string Source, string Translation)> Messages) Translate(IReadOnlyDictionary<int, string> translations)
    {
        var byPlace = _parts.Select((part, index) => (part.Key, part.Place, Text: translations.TryGetValue(index, out var translation) ? part.Read(translation) : null))
            .ToDictionary(part => (part.Key, part.Place), part => part.Text);
        var translated = new List<(string Key, string Source, string Translation)>();
        foreach (var (key, source) in _messages)
        {
            var forms = source.Split('|').Select((form, place) => byPlace.TryGetValue((key, place), out var text) ? text : form).ToArray();
            var isTranslated = forms.All(form => form is not null) && byPlace.Keys.Any(place => place.Key == key);
            if (!isTranslated)
                continue;

            translated.Add((key, source, string.Join('|', forms)));
            _file[key]!["message"] = translated[^1].Translation;
        }

        return (_file.ToJsonString(Json) + "\n", translated);
    }

    /// <summary>The id of the message that a segment is part of.</summary>
    public string KeyOf(Segment segment) => _parts[segment.Index].Key;

    /// <summary>A message, or one form of a plural.</summary>
    /// <param name="Fixed">What stays as it is; in the document each is code, and in the segment's text a placeholder.</param>
    private sealed record Part(string Key, int Place, string Source, IReadOnlyList<string> Fixed)
    {
        /// <summary>Null if there is nothing to translate.</summary>
        public static Part? Of(string key, int place, string form)
        {
            var part = new Part(key, place, form, [.. Stays().Matches(form).Select(match => match.Value)]);

            return Stays().Replace(form, "").Any(char.IsLetter) ? part : null;
        }

        /// <summary>An item of a list, in which no word can begin another block.</summary>
        public string Markdown
        {
            get
            {
                var text = new StringBuilder("- ");
                var done = 0;
                foreach (Match match in Stays().Matches(Source))
                {
                    Escape(text, Source.AsSpan(done, match.Index - done));
                    text.Append("`x`");
                    done = match.Index + match.Length;
                }

                Escape(text, Source.AsSpan(done));

                return text.Append('\n').ToString();
            }
        }

        /// <summary>True if it is read as it was meant: as one segment of plain text, with a placeholder for each thing that stays.</summary>
        public bool IsClear
        {
            get
            {
                var number = 0;

                return TranslatableDocument.Parse(Markdown).Segments is [var segment]
                    && segment.Text == Spaces().Replace(Stays().Replace(Source, _ => string.Create(CultureInfo.InvariantCulture, $"<x{++number}/>")), " ").Trim();
            }
        }

        public string Read(string translation) => string.Concat(
            Source[..^Source.AsSpan().TrimStart().Length],
            // A bar would be the end of a form.
            Placeholder().Replace(translation.Replace("|", "/", StringComparison.Ordinal), match => Fixed[int.Parse(match.Groups["number"].ValueSpan, CultureInfo.InvariantCulture) - 1]),
            Source[Source.AsSpan().TrimEnd().Length..]);

        private static void Escape(StringBuilder text, ReadOnlySpan<char> words)
        {
            foreach (var character in words)
            {
                if (char.IsAscii(character) && (char.IsPunctuation(character) || char.IsSymbol(character)))
                    text.Append('\\');
                text.Append(character is '\n' or '\r' ? ' ' : character);
            }
        }
    }

    [GeneratedRegex(@"(\{[^{}]*\}|</?[A-Za-z][^<>]*>|&#?\w+;|https?://[^\s<>""{}|]+|[\w.+-]+@[\w-]+\.\w+)+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Stays();

    [GeneratedRegex("<x(?<number>[0-9]+)/>", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"\s+", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Spaces();
}
