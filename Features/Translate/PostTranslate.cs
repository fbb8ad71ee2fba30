using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Features.Translate.Caching;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Translate;

/// <summary>A text to translate.</summary>
/// <param name="Text">Markdown, MDX or plain text, 1 to 100,000 characters.</param>
/// <param name="TargetLanguage">A language tag (BCP 47).</param>
/// <param name="SourceLanguage">A language tag; without it the language is told by the words, or by the model.</param>
/// <param name="HeadingIds">True adds to each heading the id of its original, so that links to it hold.</param>
/// <param name="Glossary">Up to 200 terms with their translations; null for a term that stays as it is. What is translated with terms of your own is shared with nobody.</param>
/// <example>{"text":"## How nodes talk\n\nTwo nodes talk over a `topic`.","target_language":"ur","glossary":{"topic":null}}</example>
internal sealed record TranslateRequest(
    [property: StringLength(TranslateRequest.MaxLength, MinimumLength = 1)] string Text,
    [property: DefaultValue(TranslateRequest.DefaultLanguage)] string TargetLanguage = TranslateRequest.DefaultLanguage,
    string? SourceLanguage = null,
    [property: DefaultValue(true)] bool HeadingIds = true,
    IReadOnlyDictionary<string, string?>? Glossary = null)
{
    internal const int MaxLength = 100_000;
    internal const int MaxTerms = 200;
    internal const string DefaultLanguage = "ur";

    /// <summary>JSON may take six bytes for a character.</summary>
    internal const int MaxBytes = 1024 * 1024;
}

/// <summary>A translated text.</summary>
/// <param name="TranslatedText">The text with its prose translated. Code, formulas, links, tags and ids are those of the original.</param>
/// <param name="SourceLanguage">Given, or detected; und if it could not be told.</param>
/// <param name="TargetLanguage">The language of the translation.</param>
/// <param name="Direction">rtl or ltr: how the target language is written.</param>
/// <param name="Cached">True if no model was asked: everything had been translated before.</param>
/// <param name="Segments">How many stretches of prose the text has: paragraphs, headings, list items, cells.</param>
/// <param name="Warnings">The stretches that stay in their own language.</param>
/// <example>{"translated_text":"## نوڈ کیسے بات کرتے ہیں {/* #how-nodes-talk */}\n\nدو نوڈ ایک `topic` پر بات کرتے ہیں۔","source_language":"en",
/// "target_language":"ur","direction":"rtl","cached":false,"segments":2}</example>
internal sealed record TranslateResponse(
    string TranslatedText, string SourceLanguage, string TargetLanguage, string Direction, bool Cached, int Segments, IReadOnlyList<TranslateWarning> Warnings, TranslateUsage Usage);

/// <summary>A stretch that is not translated.</summary>
/// <param name="Line">Its line in the text, from 1.</param>
/// <param name="Message">Why.</param>
/// <example>{"line":12,"message":"This passage is not translated. The model did not answer in time."}</example>
internal sealed record TranslateWarning(int Line, string Message);

/// <summary>What the translation took.</summary>
/// <param name="InputTokens">Tokens of the prompts, where the model reports them.</param>
/// <param name="OutputTokens">Tokens of the answers, where the model reports them.</param>
/// <param name="Calls">Calls to the model.</param>
/// <example>{"input_tokens":412,"output_tokens":61,"calls":1}</example>
internal sealed record TranslateUsage(int InputTokens, int OutputTokens, int Calls);

/// <summary>The data of a <c>segment</c> event.</summary>
/// <param name="Index">Its place among the segments, from 0.</param>
/// <param name="Block">The place, from 0, of the outermost Markdown block that it is in; null in the front matter.</param>
/// <param name="Text">As it is in the translated text.</param>
/// <param name="BlockText">Of a block's last segment: the block as it is in the translated text.</param>
internal sealed record TranslatedSegment(
    int Index, int? Block, int FirstLine, int LastLine, string Text, bool Cached, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? BlockText);

internal sealed class TranslateRequestValidator : AbstractValidator<TranslateRequest>
{
    private const string Tag = "must be the tag of a known language, such as ur, zh-Hant or pt-BR.";

    public TranslateRequestValidator()
    {
        // The longest text is checked by the handler: it is a 413.
        RuleFor(r => r.Text).Must(text => text?.Length > 0).WithMessage("must not be empty.").StorableText();
        RuleFor(r => r.TargetLanguage).Must(tag => LanguageTag.Parse(tag) is not null).WithMessage(Tag);
        RuleFor(r => r.SourceLanguage).Must(tag => tag is null || LanguageTag.Parse(tag) is not null).WithMessage(Tag);
        RuleFor(r => r.Glossary)
            .Must(terms => terms is null || terms.Count <= TranslateRequest.MaxTerms)
            .WithMessage($"must have at most {TranslateRequest.MaxTerms} terms.")
            .Must(terms => terms is null || terms.All(term => IsTerm(term.Key) && (term.Value is null || IsTerm(term.Value))))
            .WithMessage($"must have terms and translations of 1 to {GlossaryFile.MaxTermLength} characters in one line.");
    }

    private static bool IsTerm(string text) =>
        !string.IsNullOrWhiteSpace(text) && text.Length <= GlossaryFile.MaxTermLength && !text.Any(char.IsControl) && ValidationFilter.IsStorable(text);
}

internal static class PostTranslate
{
    public static void MapPostTranslate(this IEndpointRouteBuilder translate) => translate
        .MapPost("", HandleAsync)
        .WithName(nameof(PostTranslate))
        .WithMetadata(new RequestSizeLimitAttribute(TranslateRequest.MaxBytes))
        .Validate<TranslateRequest>()
        .FailsWith(StatusCodes.Status413PayloadTooLarge, "text_too_long", $"The text has more than {TranslateRequest.MaxLength} characters.")
        .FailsWith(StatusCodes.Status503ServiceUnavailable, "model_unavailable", "There is no model, or it is unavailable.")
        .FailsWhenSpent();

    /// <summary>Translate Markdown, with every line of code intact.</summary>
    /// <remarks>
    /// Only prose goes to the model. What comes back is checked; a passage whose translation is not sound stays in its own language, with a warning.
    /// If `Accept` prefers `text/event-stream` to JSON, the answer is streamed: `segment` for each passage in the text's order, then `completed`, or
    /// `error`. What is translated is stored: the same request after a break costs what is missing only.
    /// </remarks>
    /// <response code="200">The translated text. Passages that could not be translated are as they were, and are named in <c>warnings</c>.</response>
    /// <response code="400">The body is not valid; <c>errors</c> names its fields.</response>
    /// <response code="413">The text is too long; the detail names the limit.</response>
    /// <response code="429">Too many translations for this client, or the tokens for today are used up; Retry-After says when to retry.</response>
    /// <response code="500">The model failed, and nothing could be translated.</response>
    /// <response code="503">There is no model, or the model or the database is unavailable.</response>
    internal static async Task<Results<Ok<TranslateResponse>, ServerSentEvents, ProblemHttpResult>> HandleAsync(
        TranslateRequest request, CurrentReader reader, HttpContext context, CachedTranslator translator, PageTranslations translations, Glossaries glossaries,
        TokenBudget budget, IOptions<TranslateOptions> options, IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions> json, TimeProvider time, ILogger<TranslateRequest> log, CancellationToken cancellationToken)
    {
        if (ValidationFilter.Length(request.Text) is > TranslateRequest.MaxLength and var length)
            return Problem.Of(
                StatusCodes.Status413PayloadTooLarge, "text_too_long",
                string.Create(CultureInfo.InvariantCulture, $"The text has {length:N0} characters. Send at most {TranslateRequest.MaxLength:N0} in one request."));

        TranslatableDocument document;
        try
        {
            document = TranslatableDocument.Parse(request.Text);
        }
        catch (DocumentException exception)
        {
            return Problem.Invalid("text", $"cannot be read: {exception.Message}");
        }

        var target = LanguageTag.Parse(request.TargetLanguage)!;
        var source = request.SourceLanguage is { } given ? LanguageTag.Parse(given) : LanguageDetector.ByWords(document);
        var isSame = source is not null && LanguageTag.AreSame(source, target);
        if (!isSame && document.Segments.Count > 0 && !translator.IsAvailable)
            return Problem.Of(
                StatusCodes.Status503ServiceUnavailable, "model_unavailable",
                "There is no model to translate with. Set OPENAI_API_KEY, or OPENAI_BASE_URL for another server, and do not set AI_PROVIDER=offline.");

        var glossary = glossaries.For(target);
        var account = await budget.AccountOfAsync(context, cancellationToken);
        var page = new PageToTranslate(
            document, source, target,
            request.Glossary is { Count: > 0 } own ? glossary.With(own.Select(term => new GlossaryTerm(term.Key, term.Value))) : glossary, request.Glossary is { Count: > 0 },
            !request.HeadingIds ? HeadingIds.None : options.Value.HeadingIds == "classic" ? HeadingIds.Classic : HeadingIds.Comment,
            account, reader.Subject is { } subject ? $"user {subject}" : $"client {account.Client}");
        var translation = isSame ? translations.Unchanged(page) : await translations.PrepareAsync(page, cancellationToken);
        if (translation is null)
            return budget.Refuse();
        if (ServerSentEvents.ArePreferredBy(context.Request))
            return new ServerSentEvents(EventsAsync(translation, request, json.Value.SerializerOptions, time, log, context.Request.Path, cancellationToken));

        await foreach (var _ in translation.ReadAsync(time, cancellationToken))
        {
            // The answer has all of them at the end.
        }

        return TypedResults.Ok(translation.Response(request.Text));
    }

    /// <summary>Gives a failure as the last event, because the stream has begun.</summary>
    private static async IAsyncEnumerable<ServerSentEvent> EventsAsync(
        PageTranslation translation, TranslateRequest request, JsonSerializerOptions json, TimeProvider time, ILogger log, string path,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var segments = translation.ReadAsync(time, cancellationToken).GetAsyncEnumerator(cancellationToken);
        var id = 0;
        Failure? failure = null;
        while (true)
        {
            try
            {
                if (!await segments.MoveNextAsync())
                    break;
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                failure = ExceptionMapping.ToFailure(exception);
                if (failure.Status == StatusCodes.Status500InternalServerError)
                    log.LogError(exception, "A translation failed");
                break;
            }

            yield return Event("segment", segments.Current);
        }

        yield return failure is null ? Event("completed", translation.Response(request.Text)) : Event("error", ProblemBody.Of(failure, path));

        ServerSentEvent Event<T>(string name, T data) => new($"{id++}", name, JsonSerializer.Serialize(data, json));
    }
}
