using System.Linq.Expressions;
using ChatBackend.Features.Chat.Sessions;
using FluentValidation;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>A request of a ChatKit client.</summary>
/// <param name="Type">What it asks for, such as threads.create.</param>
/// <param name="Params">What the type needs.</param>
/// <example>{"type":"threads.create","params":{"input":{"content":[{"type":"input_text","text":"How do two ROS 2 nodes talk to each other?"}],"attachments":[]}}}</example>
internal sealed record ChatKitRequest(string Type, ChatKitParams? Params = null);

/// <summary>The parameters of all types; each type reads its own.</summary>
/// <param name="Input">A message of the reader's.</param>
/// <param name="ThreadId">A thread: thr_ and a conversation's id.</param>
/// <param name="ItemId">The reader's message whose answer is written again.</param>
/// <param name="ItemIds">The answers that are rated.</param>
/// <param name="Kind">positive or negative.</param>
/// <param name="Title">A thread's new title.</param>
/// <param name="Limit">The most entries of a page, 1 to 100; 20 if it is absent.</param>
/// <param name="Order">asc or desc, by time.</param>
/// <param name="After">The after of the page before.</param>
/// <example>{"thread_id":"thr_0f8fad5b-d9cb-469f-a165-70867728950e","limit":20,"order":"asc"}</example>
internal sealed record ChatKitParams(
    ChatKitInput? Input = null, string? ThreadId = null, string? ItemId = null, IReadOnlyList<string>? ItemIds = null, string? Kind = null,
    string? Title = null, int? Limit = null, string? Order = null, string? After = null)
{
    internal int Size => Limit ?? 20;
}

/// <summary>A message of the reader's.</summary>
/// <param name="Content">Texts, and tags that count as their text.</param>
/// <param name="Attachments">Must be empty: attachments are not offered.</param>
/// <param name="QuotedText">Text of the page that the message is about.</param>
/// <example>{"content":[{"type":"input_text","text":"How do two ROS 2 nodes talk to each other?"}],"attachments":[]}</example>
internal sealed record ChatKitInput(IReadOnlyList<ChatKitInputPart>? Content, IReadOnlyList<string>? Attachments = null, string? QuotedText = null)
{
    internal string Text => string.Concat((Content ?? []).Select(part => part?.Text)).Trim();
}

/// <summary>A part of a message.</summary>
/// <param name="Type">input_text or input_tag.</param>
/// <param name="Text">Its text.</param>
/// <example>{"type":"input_text","text":"How do two ROS 2 nodes talk to each other?"}</example>
internal sealed record ChatKitInputPart(string? Type, string? Text);

internal sealed class ChatKitRequestValidator : AbstractValidator<ChatKitRequest>
{
    private const int MostRated = 100;

    public ChatKitRequestValidator()
    {
        RuleFor(r => r.Type).Must(t => PostChatKit.Types.Keys.Concat(PostChatKit.NotOffered).Contains(t ?? "")).WithMessage("must be a type of ChatKit's requests.");
        RuleFor(r => r.Params).NotNull().WithMessage("is missing.");
        When(r => r.Params is not null, () =>
        {
            Needed(
                "input", r => r.Params!.Input, i => i is { Content: not null, Attachments: null or { Count: 0 } },
                "must have content, and no attachments: they are not offered.");
            Needed("thread_id", r => r.Params!.ThreadId, id => ChatKitItems.Key(id, ChatKitItems.ThreadId) is not null, "must be a thread's id.");
            Needed("item_id", r => r.Params!.ItemId, id => ChatKitItems.Key(id, ChatKitItems.QuestionId) is not null, "must be the id of a reader's message.");
            Needed(
                "item_ids", r => r.Params!.ItemIds, ids => ids is { Count: > 0 and <= MostRated } && ids.All(id => ChatKitItems.Key(id, ChatKitItems.AnswerId) is not null),
                $"must be 1 to {MostRated} ids of answers.");
            Needed("kind", r => r.Params!.Kind, k => k is "positive" or "negative", "must be positive or negative.");
            Needed("title", r => r.Params!.Title, t => t is not null, "is missing.");
            RuleFor(r => r.Params!.Limit).InclusiveBetween(1, 100).WithMessage("must be a whole number from 1 to 100.");
            RuleFor(r => r.Params!.Order).Must((r, o) => o is null or "desc" || (o == "asc" && r.Type is not "threads.list")).WithMessage("must be desc or, for items, asc.");
            RuleFor(r => r.Params!.After).Must((r, a) => a is null || (r.Type is "threads.list" ? SessionCursor.Parse(a) is not null : int.TryParse(a, out var at) && at > 0))
                .WithMessage("must be the after of a page of this list.");
        });
    }

    private void Needed<T>(string name, Expression<Func<ChatKitRequest, T>> parameter, Func<T, bool> isValid, string message) =>
        RuleFor(parameter).Must(isValid).WithMessage(message).When(r => PostChatKit.Types.GetValueOrDefault(r.Type ?? "").Needs?.Contains(name) is true);
}
