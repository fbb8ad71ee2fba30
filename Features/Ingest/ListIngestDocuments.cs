using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Search;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Ingest;

/// <summary>A number is bound as text, so that a problem can name it.</summary>
internal sealed record ListIngestDocumentsRequest
{
    public const int MaxLimit = 1000;

    [FromQuery(Name = "after"), StringLength(UploadedDocument.MaxPathLength), Example("module-1/01-nodes.md")]
    [Description("The path of the last document that was received; the list continues behind it.")]
    public string? After { get; init; }

    [FromQuery(Name = "limit"), Range(1, MaxLimit), DefaultValue("100")]
    [Description("The most documents to return.")]
    public string? Limit { get; init; }
}

internal sealed class ListIngestDocumentsRequestValidator : AbstractValidator<ListIngestDocumentsRequest>
{
    public ListIngestDocumentsRequestValidator()
    {
        RuleFor(r => r.After).Must(a => a is null or { Length: <= UploadedDocument.MaxPathLength }).WithMessage($"after must be {UploadedDocument.MaxPathLength} characters or fewer.");
        RuleFor(r => r.Limit).WholeNumber("limit", 1, ListIngestDocumentsRequest.MaxLimit);
    }
}

/// <summary>Documents of the index, by their paths.</summary>
/// <param name="Total">Documents that the index holds.</param>
/// <param name="Next">Send it as <c>after</c> for the next page; null on the last one.</param>
/// <example>{"total":1203,"next":null}</example>
internal sealed record ListIngestDocumentsResponse(IReadOnlyList<IngestedDocument> Documents, int Total, string? Next);

/// <summary>A document that the index holds.</summary>
/// <param name="Path">Its path in the book.</param>
/// <param name="Title">Its title.</param>
/// <param name="Url">Its address.</param>
/// <param name="Passages">How many passages it was cut into.</param>
/// <param name="IngestedAt">When it was last ingested with a change.</param>
/// <example>{"path":"module-1/01-nodes.md","title":"Nodes","url":"/docs/module-1/nodes","passages":7}</example>
internal sealed record IngestedDocument(string Path, string Title, string Url, int Passages, DateTime IngestedAt);

internal static class ListIngestDocuments
{
    public static void MapListIngestDocuments(this IEndpointRouteBuilder ingest) => ingest
        .MapGet("/documents", HandleAsync)
        .WithName(nameof(ListIngestDocuments))
        .Validate<ListIngestDocumentsRequest>();

    /// <summary>What the index holds, document by document</summary>
    /// <response code="200">The documents.</response>
    /// <response code="400">A parameter is not valid; <c>errors</c> names it.</response>
    internal static async Task<Ok<ListIngestDocumentsResponse>> HandleAsync(
        [AsParameters] ListIngestDocumentsRequest request, IPassageVectors index, CancellationToken cancellationToken)
    {
        var limit = int.Parse(request.Limit ?? "100");
        var all = await index.ListAsync(cancellationToken);
        IngestedDocument[] page =
        [
            .. all.Where(d => string.CompareOrdinal(d.Path, request.After) > 0).OrderBy(d => d.Path, StringComparer.Ordinal).Take(limit + 1)
                .Select(d => new IngestedDocument(d.Path, d.Title, d.Url, d.Passages, d.IngestedAt)),
        ];
        return TypedResults.Ok(new ListIngestDocumentsResponse([.. page.Take(limit)], all.Count, page.Length > limit ? page[limit - 1].Path : null));
    }
}
