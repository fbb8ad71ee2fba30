using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;

namespace ChatBackend.Features.Ingest.Uploads;

/// <summary>Reads documents one by one from a body, as JSON (<see cref="IngestRequest"/>) or as NDJSON: a document per line,
/// after a first line that may have the other members.</summary>
internal sealed class JsonDocuments(PipeReader body, bool isLines, JsonSerializerOptions json)
{
    /// <summary>The largest content, escaped, with its other members.</summary>
    private const long MaxDocumentBytes = (2 * BookFolder.MaxBytes) + (64 * 1024);

    private JsonReaderState _state = new(new() { AllowMultipleValues = isLines });
    private Place _place = isLines ? Place.Documents : Place.Start;
    private int _count;
    private bool _hasHeader;

    private enum Place
    {
        Start,
        Object,
        Documents,
        End,
    }

    /// <summary>Known once all documents were read; null if the body does not say.</summary>
    public bool? Prune { get; private set; }

    /// <inheritdoc cref="Prune"/>
    public bool? Plan { get; private set; }

    /// <summary>Known before the first document, if it stands before them; null if the body does not say.</summary>
    public SiteManifest? Site { get; private set; }

    /// <exception cref="BadHttpRequestException">The body is not JSON, or a member has the wrong type.</exception>
    /// <exception cref="UploadException">A document is too large.</exception>
    public async IAsyncEnumerable<IngestDocument> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await body.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            try
            {
                while (Next(ref buffer, read.IsCompleted) is { } document)
                    yield return document;

                if (_place == Place.Object && buffer.Length > SiteManifest.MaxBytes)
                    throw new UploadException("document_too_large", $"site has more than {SiteManifest.MaxBytes / 1024 / 1024} MB.", StatusCodes.Status413PayloadTooLarge);
                if (_place != Place.Object && buffer.Length > MaxDocumentBytes)
                    throw new UploadException("document_too_large", $"documents[{_count}] has more than {BookFolder.MaxBytes / 1024 / 1024} MB.", StatusCodes.Status413PayloadTooLarge);
            }
            finally
            {
                // Also if the body is refused: otherwise the server cannot read the rest, and breaks the connection.
                body.AdvanceTo(buffer.Start, buffer.End);
            }

            if (read.IsCompleted)
                yield break;
        }
    }

    private static BadHttpRequestException Wrong(JsonException exception) => new("The body is not as it should be.", StatusCodes.Status400BadRequest, exception);

    private static BadHttpRequestException WrongType(string path) => Wrong(new JsonException("A value has the wrong type.", path, null, null));

    /// <summary>Null if the buffer has no whole document more.</summary>
    private IngestDocument? Next(ref ReadOnlySequence<byte> buffer, bool isAll)
    {
        try
        {
            return Read(ref buffer, isAll);
        }
        catch (JsonException e)
        {
            throw Wrong(e);
        }
    }

    private IngestDocument? Read(ref ReadOnlySequence<byte> buffer, bool isAll)
    {
        while (true)
        {
            // A token that is not whole yet is read again with the next piece of the body.
            var reader = new Utf8JsonReader(buffer, isAll, _state);
            if (!reader.Read())
                return null;

            IngestDocument? document = null;
            switch (_place)
            {
                case Place.Start:
                    _place = reader.TokenType is JsonTokenType.StartObject ? Place.Object : throw WrongType("$");
                    break;
                case Place.Object when reader.TokenType is JsonTokenType.EndObject:
                    _place = isLines ? Place.Documents : Place.End;
                    break;
                case Place.Object:
                    var name = reader.GetString();
                    if (!reader.Read())
                        return null;
                    if (name == "documents")
                        _place = reader.TokenType is JsonTokenType.StartArray && !isLines ? Place.Documents : throw WrongType("$.documents");
                    else if (name == "prune")
                        Prune = Flag(reader, name);
                    else if (name == "plan")
                        Plan = Flag(reader, name);
                    else if (name == "site" && reader.TokenType is not JsonTokenType.Null)
                    {
                        if (_count > 0)
                            throw new UploadException("invalid_site", "site must stand before documents: they are stored as they arrive.");
                        var start = reader;
                        if (!reader.TrySkip())
                            return null;
                        Site = ReadSite(ref start);
                    }
                    else if (!reader.TrySkip())
                        return null;
                    break;
                case Place.Documents when reader.TokenType is JsonTokenType.EndArray && !isLines:
                    _place = Place.Object;
                    break;
                case Place.Documents:
                    var value = reader;
                    if (isLines && _count == 0 && !_hasHeader && reader.TokenType is JsonTokenType.StartObject)
                    {
                        var first = reader;
                        if (!first.Read())
                            return null;
                        if (first.TokenType is JsonTokenType.PropertyName && (first.ValueTextEquals("site") || first.ValueTextEquals("prune") || first.ValueTextEquals("plan")))
                        {
                            (_place, _hasHeader) = (Place.Object, true);
                            break;
                        }
                    }

                    if (!reader.TrySkip())
                        return null;
                    document = Deserialize(ref value);
                    break;
            }

            _state = reader.CurrentState;
            buffer = buffer.Slice(reader.Position);
            if (document is not null)
                return document;
        }
    }

    private static bool? Flag(Utf8JsonReader reader, string name) => reader.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        JsonTokenType.Null => null,
        _ => throw WrongType($"$.{name}"),
    };

    private static SiteManifest ReadSite(ref Utf8JsonReader reader)
    {
        try
        {
            return SiteManifest.Parse(JsonMarshal.GetRawUtf8Value(JsonElement.ParseValue(ref reader)));
        }
        catch (DocumentException e)
        {
            throw new UploadException("invalid_site", e.Message);
        }
    }

    private IngestDocument Deserialize(ref Utf8JsonReader reader)
    {
        var path = $"$.documents[{_count}]";
        try
        {
            var document = JsonSerializer.Deserialize<IngestDocument>(ref reader, json) ?? throw WrongType(path);
            _count++;
            return document;
        }
        catch (JsonException e)
        {
            throw Wrong(new JsonException(e.Message, path + e.Path?.TrimStart('$'), null, null));
        }
    }
}
