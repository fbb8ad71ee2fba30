using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Search;

/// <summary>What is being typed. Attributes are what OpenAPI shows.</summary>
internal sealed record SuggestHeadingsRequest
{
    public const int MaxLength = 100;

    [FromQuery(Name = "q"), Required, StringLength(MaxLength, MinimumLength = 1), Example("nodes ta")]
    [Description("What is being typed: 1 to 100 characters after trimming. Each word may be the beginning of one.")]
    public string? Q { get; init; }
}

/// <summary>What matches.</summary>
/// <param name="Query">The text, trimmed.</param>
/// <param name="Headings">The headings, best first; at most 8.</param>
/// <example>{"query":"nodes ta"}</example>
internal sealed record SuggestHeadingsResponse(string Query, IReadOnlyList<SuggestedHeading> Headings);

/// <summary>A heading of the book.</summary>
/// <param name="Title">The page's title.</param>
/// <param name="Heading">The heading; the page's title for the page itself.</param>
/// <param name="Url">The page's address, ending in the heading's anchor.</param>
/// <example>{"title":"Nodes and Topics","heading":"How nodes talk to each other","url":"/docs/ros2/nodes-and-topics#how-nodes-talk"}</example>
internal sealed record SuggestedHeading(string Title, string Heading, string Url);

internal sealed class SuggestHeadingsRequestValidator : AbstractValidator<SuggestHeadingsRequest>
{
    public SuggestHeadingsRequestValidator()
    {
        RuleFor(r => r.Q).Cascade(CascadeMode.Stop)
            .NotEmpty().WithMessage("q is required: what is being typed.")
            .Must(q => q!.Trim().Length <= SuggestHeadingsRequest.MaxLength).WithMessage($"q may have at most {SuggestHeadingsRequest.MaxLength} characters.")
            .StorableText();
    }
}

internal static class SuggestHeadings
{
    private const int Most = 8;

    public static void MapSuggestHeadings(this IEndpointRouteBuilder search) => search
        .MapGet("/suggest", HandleAsync)
        .WithName(nameof(SuggestHeadings))
        .Validate<SuggestHeadingsRequest>();

    /// <summary>The headings that match what is being typed.</summary>
    /// <remarks>They are kept in memory: nothing is sent to a model, and there is no rate limit. A new ingest shows within a minute.</remarks>
    /// <response code="200">What matches; an empty list where nothing does.</response>
    /// <response code="400">The text is not valid.</response>
    internal static async Task<Ok<SuggestHeadingsResponse>> HandleAsync(
        [AsParameters] SuggestHeadingsRequest request, HeadingList headings, CancellationToken cancellationToken)
    {
        var query = request.Q!.Trim();
        var found = await headings.FindAsync(query, Most, cancellationToken);
        return TypedResults.Ok(new SuggestHeadingsResponse(query, [.. found.Select(h => new SuggestedHeading(h.Title, h.Heading, h.Url))]));
    }
}
