using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Chat.OpenAi;

/// <summary>The models of OpenAI's API.</summary>
/// <param name="Object">list</param>
/// <param name="Data">One: the book.</param>
/// <example>{"object":"list"}</example>
internal sealed record ModelsResponse(string Object, IReadOnlyList<ModelResponse> Data);

/// <summary>A model of OpenAI's API.</summary>
/// <param name="Created">The number 0: the book has no such time.</param>
/// <example>{"id":"book","object":"model","created":0,"owned_by":"chatbackend"}</example>
internal sealed record ModelResponse(string Id, string Object, long Created, string OwnedBy);

internal static class ListModels
{
    private static readonly ModelResponse Book = new(Completion.Book, "model", 0, "chatbackend");

    public static void MapListModels(this IEndpointRouteBuilder openAi)
    {
        openAi.MapGet("/models", Handle).WithName(nameof(ListModels));
        openAi.MapGet("/models/{model}", HandleOne).WithName("GetModel").FailsWith(StatusCodes.Status404NotFound, "model_not_found");
    }

    /// <summary>The models of OpenAI's API: one, the book.</summary>
    /// <response code="200">The list.</response>
    internal static Ok<ModelsResponse> Handle() => TypedResults.Ok(new ModelsResponse("list", [Book]));

    /// <summary>A model of OpenAI's API.</summary>
    /// <param name="model">book</param>
    /// <response code="200">The model.</response>
    /// <response code="404">There is no such model.</response>
    internal static Results<Ok<ModelResponse>, ProblemHttpResult> HandleOne(string model) =>
        model == Book.Id ? TypedResults.Ok(Book) : Problem.NotFound("model_not_found", "There is one model, book.");
}
