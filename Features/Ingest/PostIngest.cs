using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Features.Ingest.Uploads;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using Npgsql;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace ChatBackend.Features.Ingest;

internal static class PostIngest
{
    public const string Json = "application/json";

    public const string Lines = "application/x-ndjson";

    public const string Zip = "application/zip";

    /// <summary>The largest body: 64 MiB.</summary>
    public const int MaxBytes = 64 * 1024 * 1024;

    private const int LargeUpload = 1024 * 1024;

    /// <summary>When to ask again when the queue is full.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(30);

    public static void MapPostIngest(this IEndpointRouteBuilder ingest) => ingest
        .MapPost("", HandleAsync)
        .WithName(nameof(PostIngest))
        .Accepts<IngestRequest>(Json, Lines, Zip)
        .WithMetadata(new RequestSizeLimitAttribute(MaxBytes))
        .WithMetadata(new TakenBody(Lines, "A document per line, to 64 MiB. The first line may have site, prune and plan instead.", "{\"path\":\"intro.md\",\"content\":\"# Intro\"}\n"))
        .WithMetadata(new TakenBody(Zip, "A zip of the docs folder, to 64 MiB: its .md and .mdx files are read. The site's i18n, versioned_docs and versions.json may be beside it.", "(the bytes of the zip)"))
        .Validate<IngestQuery>()
        .FailsWithInvalid<IngestRequest>()
        .FailsWith(StatusCodes.Status400BadRequest, "malformed_json")
        .FailsWith(StatusCodes.Status400BadRequest, "invalid_path")
        .FailsWith(StatusCodes.Status400BadRequest, "path_outside_folder")
        .FailsWith(StatusCodes.Status400BadRequest, "duplicate_path")
        .FailsWith(StatusCodes.Status400BadRequest, "no_documents")
        .FailsWith(StatusCodes.Status400BadRequest, "invalid_site")
        .FailsWith(StatusCodes.Status400BadRequest, "invalid_archive")
        .FailsWith(StatusCodes.Status400BadRequest, "link_in_archive")
        .FailsWith(StatusCodes.Status400BadRequest, "encrypted_entry")
        .FailsWith(StatusCodes.Status400BadRequest, "unknown_version")
        .FailsWith(StatusCodes.Status400BadRequest, "archive_bomb")
        .FailsWith(StatusCodes.Status413PayloadTooLarge, "document_too_large")
        .FailsWith(StatusCodes.Status413PayloadTooLarge, "too_many_documents")
        .FailsWith(StatusCodes.Status413PayloadTooLarge, "too_many_entries")
        .FailsWith(StatusCodes.Status413PayloadTooLarge, "upload_too_large")
        .FailsWith(StatusCodes.Status429TooManyRequests, "ingest_queue_full")
        .AnswersWithHeader("Location", "The job.");

    /// <summary>Ingest a book, whole or in part</summary>
    /// <remarks>
    /// The documents are stored before the answer; a job then ingests them, one job at a time. Unchanged documents are skipped, a broken one is
    /// listed in the job's report and does not stop the others. An upload is refused as a whole if an entry leaves the folder, is a link, or unpacks to far
    /// more than a text does. At most 20 jobs wait; an upload with `prune` takes the place of those that wait before it.
    /// </remarks>
    /// <response code="202">The upload is stored, and its job waits.</response>
    /// <response code="400">The upload is refused; <c>detail</c> names the document.</response>
    /// <response code="413">The body, a document, or all of them together are too large.</response>
    /// <response code="429">20 jobs wait already.</response>
    internal static async Task<Results<Accepted<IngestJobResponse>, ProblemHttpResult>> HandleAsync(
        [AsParameters] IngestQuery query, HttpRequest request, NpgsqlDataSource database, JobStatus jobs, JobLoop loop, IOptions<SiteOptions> site,
        IValidator<IngestRequest> validator, IOptions<JsonOptions> json, CancellationToken cancellationToken)
    {
        try
        {
            var (prune, plan) = (query.Prune == "true", query.Plan == "true");
            var type = request.ContentType?.Split(';')[0].Trim().ToLowerInvariant();
            // Whether JSON or lines are an upload of the whole book, which is never refused for the queue, is known when it was read.
            await using var upload = await JobUpload.OpenAsync(database, isChecked: type == Zip && (!prune || plan), cancellationToken);
            upload.Published = new(site.Value, [], site: null);
            if (type == Zip)
            {
                await using var zip = await ZipDocuments.OpenAsync(request.Body, query.Root, query.Version, cancellationToken);
                upload.Published = new(site.Value, [], await zip.ReadSiteAsync(cancellationToken)) { Version = await zip.ReadRouteAsync(cancellationToken) };
                await zip.AddToAsync(upload, cancellationToken);
            }
            else
            {
                var documents = new JsonDocuments(request.BodyReader, isLines: type == Lines, json.Value.SerializerOptions);
                var partials = new UploadedPartials(upload);
                var number = 0;
                await foreach (var document in documents.ReadAsync(cancellationToken))
                {
                    if (number == 0 && documents.Site is { } built)
                        upload.Published = new(site.Value, [], built);
                    if (await FaultAsync(validator, document, number++, cancellationToken) is { } fault)
                        return fault;
                    await partials.AddAsync(new(UploadedDocument.NormalPath(document.Path!), document.Content!, document.Title, document.Url), cancellationToken);
                }

                await partials.AddImportingAsync(cancellationToken);
                (prune, plan) = (prune || documents.Prune is true, plan || documents.Plan is true);
            }

            if (upload is { Count: 0, Skipped: [] })
                return Problem.Invalid("documents", "must not be empty.");
            // A whole book without pages would empty the index; most likely the built site is another book's.
            if (upload.Pages == 0 && (prune || upload.Count == 0))
                throw new UploadException("no_documents", upload.Skipped is [var first, ..]
                    ? $"No page of the upload is published. {UploadedDocument.Shown(first.Path)}: {first.Reason}"
                    : "There is no page in the upload.");
            await upload.EnqueueAsync(prune, plan, cancellationToken);
            loop.Nudge();
            return TypedResults.Accepted($"/ingest/jobs/{upload.Id}", await jobs.FindAsync(upload.Id, cancellationToken));
        }
        catch (UploadException e)
        {
            return Problem.Of(e.Status, e.Code, e.Message, e.Status == StatusCodes.Status429TooManyRequests ? RetryAfter : null);
        }
        finally
        {
            // It leaves megabytes of garbage, to which the next upload would add its own before the service is idle.
            if (request.ContentLength is null or > LargeUpload)
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
        }
    }

    private static async Task<ProblemHttpResult?> FaultAsync(IValidator<IngestRequest> validator, IngestDocument document, int number, CancellationToken cancellationToken)
    {
        var result = await validator.ValidateAsync(new IngestRequest([document]), cancellationToken);
        if (result.IsValid)
            return null;
        foreach (var error in result.Errors)
            error.PropertyName = error.PropertyName.Replace("Documents[0]", $"Documents[{number}]", StringComparison.Ordinal);
        return ValidationFilter.Invalid(result);
    }
}
