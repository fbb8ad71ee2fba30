using System.Text.Json.Serialization;
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
    string? Title = null, int? Limit = null, string? Order = null, string? After = null);

/// <summary>A message of the reader's.</summary>
/// <param name="Content">Texts, and tags that count as their text.</param>
/// <param name="Attachments">Must be empty: attachments are not offered.</param>
/// <param name="QuotedText">Text of the page that the message is about.</param>
/// <example>{"content":[{"type":"input_text","text":"How do two ROS 2 nodes talk to each other?"}],"attachments":[]}</example>
internal sealed record ChatKitInput(IReadOnlyList<ChatKitInputPart>? Content, IReadOnlyList<string>? Attachments = null, string? QuotedText = null)
{
    [JsonIgnore]
    public string Text => string.Concat((Content ?? []).Select(part => part?.Text)).Trim();
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
        RuleFor(r => r.Type).Must(t => t is not null && (ChatKitTypes.Offered.Contains(t) || ChatKitTypes.NotOffered.Contains(t)))
            .WithMessage("must be a type of ChatKit's requests.");
        RuleFor(r => r.Params).NotNull().WithMessage("is missing.");
        When(r => r.Params is not null, CheckParameters);
    }

    private void CheckParameters()
    {
        RuleFor(r => r.Params!.Input).Must(i => i?.Content is not null).WithMessage("must have content.").When(r => r.Type is ChatKitTypes.Create or ChatKitTypes.AddUserMessage);
        RuleFor(r => r.Params!.Input).Must(i => i?.Attachments is not { Count: > 0 }).WithMessage("must have no attachments: they are not offered.");
        RuleFor(r => r.Params!.ThreadId).Must(id => ChatKitIds.ThreadOf(id) is not null).WithMessage("must be a thread's id.").When(r => ChatKitTypes.OfThread.Contains(r.Type));
        RuleFor(r => r.Params!.ItemId).Must(id => ChatKitIds.TurnOf(id, ChatKitIds.Question) is not null).WithMessage("must be the id of a message of the reader's.")
            .When(r => r.Type is ChatKitTypes.RetryAfterItem);
        RuleFor(r => r.Params!.ItemIds).Must(ids => ids is { Count: > 0 and <= MostRated } && ids.All(id => ChatKitIds.TurnOf(id, ChatKitIds.Answer) is not null))
            .WithMessage($"must be 1 to {MostRated} ids of answers.").When(r => r.Type is ChatKitTypes.Feedback);
        RuleFor(r => r.Params!.Kind).Must(k => k is "positive" or "negative").WithMessage("must be positive or negative.").When(r => r.Type is ChatKitTypes.Feedback);
        RuleFor(r => r.Params!.Title).NotNull().WithMessage("is missing.").When(r => r.Type is ChatKitTypes.Update);
        RuleFor(r => r.Params!.Limit).InclusiveBetween(1, 100).WithMessage("must be a whole number from 1 to 100.");
        RuleFor(r => r.Params!.Order).Must((r, o) => o is null or "desc" || (o == "asc" && r.Type is not ChatKitTypes.List)).WithMessage("must be desc or, for items, asc.");
        RuleFor(r => r.Params!.After).Must((r, a) => a is null || (r.Type is ChatKitTypes.List ? SessionCursor.Parse(a) is not null : int.TryParse(a, out var at) && at > 0))
            .WithMessage("must be the after of a page of this list.");
    }
}

internal static class ChatKitTypes
{
    public const string Create = "threads.create";
    public const string AddUserMessage = "threads.add_user_message";
    public const string RetryAfterItem = "threads.retry_after_item";
    public const string Get = "threads.get_by_id";
    public const string List = "threads.list";
    public const string Update = "threads.update";
    public const string Delete = "threads.delete";
    public const string Items = "items.list";
    public const string Feedback = "items.feedback";

    public static readonly HashSet<string> OfThread = [AddUserMessage, RetryAfterItem, Get, Update, Delete, Items, Feedback];

    public static readonly HashSet<string> Offered = [Create, List, .. OfThread];

    /// <summary>The book has no tools, forms, widgets, files and voice.</summary>
    public static readonly HashSet<string> NotOffered =
    [
        "threads.add_client_tool_output", "threads.add_structured_input", "threads.custom_action", "threads.sync_custom_action",
        "attachments.create", "attachments.delete", "input.transcribe",
    ];
}
