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
    public static void MapListModels(this IEndpointRouteBuilder openAi) => openAi.MapGet("/models", Handle).WithName(nameof(ListModels));

    /// <summary>The models of OpenAI's API: one, the book.</summary>
    /// <response code="200">The list.</response>
    internal static Ok<ModelsResponse> Handle() => TypedResults.Ok(new ModelsResponse("list", [new(Completion.Book, "model", 0, "chatbackend")]));
}
